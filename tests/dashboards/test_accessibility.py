"""What axe-core finds on the pages: nothing, on wide and on narrow screens, light and dark.

Each page is looked at twice, in the other width and scheme the second time: wide and light, then narrow and dark, or
wide and dark, then narrow and light, in turn; the second time for what a look may change. A page or report that is
much like another is looked at once. Whether texts of a look are too pale is asked where they are met first. One report
has its figures and whole tables; those of the others are shortened to one row of each look.

Nothing that the pages load comes from elsewhere, and no script of theirs fails.
"""

import re
from itertools import cycle

import pytest
from probe_dashboards.app import PAGES, WIDE

from probe.plots import canvas
from probe.report import blocks, render
from tests.dashboards.browsers import MODEL, READY, open_all, open_link
from tests.dashboards.test_pages import PROVED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SIZES = ({"width": 1280, "height": 1000}, {"width": 390, "height": 900})
SCHEMES = ("light", "dark"), ("dark", "light")
SHOWN = "scheme => getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme === scheme"
# Each kind of report with its looks: that of hostile names has all that the one of a table has, and more.
LOOKS = {
    "hostile": ((SIZES[0], "light"), (SIZES[1], "dark")),
    "image": ((SIZES[1], "light"),),
    "proofs": ((SIZES[0], "dark"),),
    "prose": ((SIZES[0], "light"),),
}
WHOLE = "prose"
# Leave one of the rows of a table that are marked up alike, as far as their elements, classes and styles tell.
SHORTEN = """() => document.querySelectorAll('tbody').forEach(body => {
  const seen = new Set();
  const look = each => `<${each.tagName} ${each.getAttribute('class')} ${each.getAttribute('style')}` +
    [...each.children].map(look).join('') + '>';
  for (const row of [...body.rows]) seen.has(look(row)) ? row.remove() : seen.add(look(row));
})"""
# What another width or scheme changes of a page that has been looked at.
OF_A_LOOK = ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"]
# All rules, or these. That of contrast is asked of three texts of each look that is not known to be in order: a look is
# the text's own colour and size and the colours, pictures and opacity behind it. Of one character axe does not decide.
AXE = """async ([rules, known]) => {
  const behind = new Map([[null, '']]), texts = new Map(), named = new Set(known);
  const above = each => each.assignedSlot ?? each.parentElement ?? each.getRootNode().host ?? null;
  const back = each => {
    if (!behind.has(each)) {
      const of = getComputedStyle(each);
      const own = [of.backgroundColor, of.backgroundImage, of.opacity, of.textShadow, each.ariaDisabled, each.disabled];
      const under = back(above(each));  // what changes nothing of it says nothing
      behind.set(each, own.join() === 'rgba(0, 0, 0, 0),none,1,none,,' ? under : [under, own.join()].join('|'));
    }
    return behind.get(each);
  };
  const gather = root => root.querySelectorAll('*').forEach(each => {
    if (each.shadowRoot) gather(each.shadowRoot);
    const said = [...each.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim().length > 1);
    const box = each.getBoundingClientRect();
    if (!(said || each.matches('input, select, textarea')) || box.width < 2 || !each.checkVisibility()) return;
    const of = getComputedStyle(each);
    const look = [each.tagName, of.color, of.fontSize, of.fontWeight, of.visibility, back(each)].join();
    if (!named.has(look)) texts.set(look, [...texts.get(look) ?? [], each].slice(0, 3));
  });
  gather(document.body);
  const asked = [...texts.values()].flat();
  asked.forEach(each => each.setAttribute('data-look', ''));
  axe.configure({rules: [{id: 'color-contrast', selector: '[data-look]'}]});
  const how = rules ? {runOnly: rules} : {rules: {'target-size': {enabled: true}}};
  // What is in order is most of the page, and takes longer to be told of than to be found.
  const found = await axe.run({...how, resultTypes: ['violations']});
  asked.forEach(each => each.removeAttribute('data-look'));
  return [found.violations, [...texts.keys()]];
}"""
# Nodes that Streamlit makes by itself: the rule, and the selector or the markup by which they are known.
STREAMLITS = {
    # The box of the sidebar, while it slides away on a narrow screen.
    "scrollable-region-focusable": 'data-testid="stSidebarContent"',
}


def links():
    """Every page of the viewer and of the lab, with an audit that it has something to say of, and how often to look."""
    for name in PAGES:
        kind = "proofs" if name in PROVED else "table"
        yield f"/{name}?run={kind}~000000000000", 2
    yield from ((f"/instance?run={kind}~000000000000", 1) for kind in ("image", "prose", "graph"))
    yield "/summary?run=interrupted~000000000000", 1
    yield from ((f"/{name}", 2) for name in WIDE)
    for view in ("explain", "attack", "what-if", "audit"):
        yield f"/lab?model={MODEL}&row=3&view={view}", 2


# Of the pages with parts that are folded away, and figures that zoom, one of each kind of part: all take minutes.
UNFOLDED = [
    f"/{name}?run={kind}~000000000000"
    for name, kind in (
        ("instance", "prose"),
        ("explanations", "table"),
        ("robustness", "table"),
        ("certificates", "proofs"),
    )
]


@pytest.fixture(scope="module")
def reports(bundles, tmp_path_factory):
    """The addresses of reports, by the kind of bundle."""
    folder = tmp_path_factory.mktemp("reports")
    for name in LOOKS:
        with pytest.MonkeyPatch.context() as patch:
            if name == WHOLE:
                patch.setattr(blocks, "to_svg", canvas.to_svg)
            (folder / f"{name}.html").write_text(render(getattr(bundles, name)))
    return {name: (folder / f"{name}.html").as_uri() for name in LOOKS}


@pytest.fixture(scope="module")
def known():
    """The looks of texts that axe has found in order on any page."""
    return set()


@pytest.fixture
def quiet(page, address):
    """The page, which asks for nothing from elsewhere and whose scripts do not fail."""
    foreign, failed = [], []
    own = (address, address.replace("http", "ws"), "data:", "blob:")
    heard = {
        "request": lambda request: None if request.url.startswith(own) else foreign.append(request.url),
        "pageerror": lambda error: failed.append(str(error)),
    }
    for event, hear in heard.items():
        page.on(event, hear)
    yield page
    for event, hear in heard.items():
        page.remove_listener(event, hear)
    assert (foreign, failed) == ([], [])


@pytest.mark.parametrize(
    ("link", "looks", "schemes"), [(*link, way) for link, way in zip(links(), cycle(SCHEMES), strict=False)]
)
def test_axe_finds_nothing_on_any_page(quiet, known, link, looks, schemes):
    page, found = quiet, {}
    for size, scheme in list(zip(SIZES, schemes, strict=True))[:looks]:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.set_viewport_size(size)
        if size is SIZES[0]:
            open_link(page, link)
        page.wait_for_function(SHOWN, arg=scheme)
        page.wait_for_selector(READY)
        page.wait_for_timeout(100)
        for said in _findings(page, known, None if size is SIZES[0] else OF_A_LOOK):
            found.setdefault(said, f"at {size['width']}, {scheme}")
    assert found == {}


def test_axe_finds_nothing_on_a_report(page, known, reports):
    found = []
    for name, looks in LOOKS.items():
        for size, scheme in looks:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(size)
            if (size, scheme) == looks[0]:
                page.goto(reports[name])
                if name != WHOLE:
                    page.evaluate(SHORTEN)
            rules = None if (size, scheme) == looks[0] else OF_A_LOOK
            found += [(name, scheme, size, said) for said in _findings(page, known, rules)]
    assert found == []


def test_the_clauses_of_a_report_wrap_in_the_width_there_is(page, reports):
    page.goto(reports["image"])
    for width in (1280, 1000, 800):
        page.set_viewport_size({"width": width, "height": 800})
        beyond = "box => box.scrollWidth - box.clientWidth"
        assert page.locator("#crosswalk .scroll").evaluate(beyond) <= 0, width


@pytest.mark.parametrize("rules", [None, OF_A_LOOK])
def test_axe_finds_pale_text_in_both_schemes(page, rules):
    page.set_content(
        "<style>p {color: #666}</style>" + "<p>Clear</p>" * 9 + "<p hidden>Unseen</p>" * 9
        + "<div style='background: #888'><p>Pale</p></div><div id=inside></div>"
    )  # fmt: skip
    page.evaluate("inside.attachShadow({mode: 'open'}).innerHTML = '<i style=\"color: #bbb\">Pale too</i>'")
    for scheme in SCHEMES[0]:
        page.emulate_media(color_scheme=scheme)
        pale = [html for rule, _, html in _findings(page, set(), rules) if rule == "color-contrast"]
        assert pale == ["<p>Pale</p>", '<i style="color: #bbb">Pale too</i>']


@pytest.mark.parametrize(("link", "scheme"), list(zip(UNFOLDED, cycle(SCHEMES[0]), strict=False)))
def test_axe_finds_nothing_in_what_is_folded_away_and_in_charts_that_zoom(quiet, known, link, scheme):
    page = quiet
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size(SIZES[0])
    open_link(page, link)
    page.wait_for_function(SHOWN, arg=scheme)
    shown = open_all(page)
    assert shown["parts"] > 1
    found = dict.fromkeys(_findings(page, known), "at 1280")
    page.set_viewport_size(SIZES[1])
    page.wait_for_timeout(300)
    for said in _findings(page, known, OF_A_LOOK):
        found.setdefault(said, "at 390")
    assert found == {}


def _findings(page, known, rules=None):
    """The rule, the selector and the markup of each node that axe complains about, but for those of Streamlit.

    `known`: the looks of texts that are in order, with those of this page from now on.
    """
    axe = pytest.importorskip("axe_playwright_python.base").AXE_SCRIPT
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)
    violations, looks = page.evaluate(AXE, [rules, list(known)])
    nodes = [
        (rule["id"], " ".join(map(str, node["target"])), node["html"].replace(' data-look=""', "")[:200])
        for rule in violations
        for node in rule["nodes"]
    ]
    if not any(rule == "color-contrast" for rule, *_ in nodes):
        known.update(looks)
    return [each for each in nodes if not re.search(STREAMLITS.get(each[0], "(?!)"), each[1] + each[2])]
