"""The viewer by the keyboard alone: everything is reached, is seen to have the focus, and does what it says."""

import re

import pytest

from tests.dashboards.browsers import MODEL, READY, open_link

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
LAB = f"/lab?model={MODEL}&row=3&view=attack"
MOST = 120  # elements of a page that Tab may reach
# What has the focus: its tag, its name, and whether what had it before looks different now.
FOCUS = """() => {
  const look = each => {
    const now = getComputedStyle(each);
    return [now.outlineStyle, now.outlineWidth, now.boxShadow, now.borderColor, now.backgroundColor].join();
  };
  const before = window.before, at = document.activeElement, around = [];
  for (let each = at; each && around.length < 5; each = each.parentElement) around.push(each);
  window.before = around.map(each => [each, look(each)]);
  const name = (at.getAttribute('aria-label') || at.innerText || '').trim().replace(/\\s+/g, ' ').slice(0, 80);
  return [at === document.body ? '' : at.tagName, name, !before || before.some(([each, was]) => look(each) !== was)];
}"""
BEGIN = "() => { document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex') }"
# Note from now on when the page is drawn again or gets a control or a style: what Tab met until then may be gone.
WATCH = """() => {
  window.redrawn = false;
  const kinds = 'a, button, input, style', look = { attributeFilter: ['data-test-script-state'] };
  window.watcher = window.watcher || new MutationObserver(changes => {
    window.redrawn ||= changes.some(change => change.type === 'attributes' || [...change.addedNodes].some(
      node => node.matches && (node.matches(kinds) || node.querySelector(kinds))));
  });
  window.watcher.observe(document, { childList: true, subtree: true, ...look });
}"""
ROUNDS = 5


def opened(page, link):
    """Open a page, with the focus before its first element, and nothing that fades in, which has no look yet."""
    page.emulate_media(reduced_motion="reduce")
    open_link(page, link)
    settled(page)
    page.evaluate(BEGIN)


def settled(page, title=""):
    page.get_by_role("heading", level=1, name=title).wait_for()
    page.get_by_text("What this does not show").first.wait_for()
    page.wait_for_selector(READY)
    # The browser fetches the code of each kind of control when the first of its kind is drawn.
    page.wait_for_load_state("networkidle")


def tab_to(page, name):
    """Press Tab until something of that name has the focus, and return its tag."""
    for _ in range(MOST):
        page.keyboard.press("Tab")
        tag, found, _ = page.evaluate(FOCUS)
        if re.search(name, found):
            return tag
    raise AssertionError(f"Tab does not reach {name}")


def around(page):
    """All that Tab reaches before it leaves the page: tag, name, and whether the focus was seen."""
    found = []
    for _ in range(MOST):
        page.keyboard.press("Tab")
        tag, name, seen = page.evaluate(FOCUS)
        if found:
            found[-1][2] = seen
        if not tag:
            return found
        found.append([tag, name, True])
    raise AssertionError(f"Tab is held back at {found[-3:]}")


def test_a_run_is_opened_its_pages_are_changed_and_keys_lead_from_a_row_of_a_table_to_others(page):
    opened(page, "/runs?q=demo")
    tab_to(page, "Open$")
    page.keyboard.press("Enter")
    settled(page, "demo")
    tab_to(page, "Rows$")
    page.keyboard.press("Enter")
    settled(page, "Rows")
    opened(page, "/rows?run=table~000000000000")
    assert tab_to(page, r"^\d+$") == "A"
    row = page.evaluate("document.activeElement.innerText")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/instance?*row={row}*")
    settled(page, "Instance")
    page.get_by_role("button", name="Next").wait_for()
    for keys in ("Alt+n", "Alt+p"):
        there = page.url
        page.keyboard.press(keys)
        page.wait_for_function("was => location.href !== was", arg=there)
        page.wait_for_selector(READY)


def test_all_of_a_page_is_reached_the_numbers_of_a_chart_are_opened_and_left_and_a_term_is_looked_up(page):
    opened(page, "/robustness?run=table~000000000000")
    everything_is_reached(page)
    assert tab_to(page, "Accuracy by radius: numbers") == "SUMMARY"
    page.keyboard.press("Enter")
    page.get_by_text("Numbers as CSV").first.wait_for()
    settled(page, "Robustness")
    tab_to(page, "^Numbers as CSV|download Numbers as CSV")  # behind the grid of numbers
    tab_to(page, "How the attacks were run: numbers")
    page.keyboard.press("Space")
    page.get_by_text("Numbers as CSV").nth(1).wait_for()
    tab_to(page, "^radii$")
    with page.context.expect_page() as glossary:
        page.keyboard.press("Enter")
    glossary.value.wait_for_url("**/glossary?term=*")
    glossary.value.close()


def test_all_of_the_lab_is_reached_and_its_slider_moves_by_the_arrows(page):
    opened(page, LAB)
    slider = page.get_by_role("slider", name="Budget")
    slider.wait_for()
    page.wait_for_selector(READY)
    everything_is_reached(page)
    tab_to(page, "^Budget$")
    at = slider.get_attribute("aria-valuenow") or slider.input_value()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "was => { const at = document.activeElement; return (at.getAttribute('aria-valuenow') ?? at.value) !== was }",
        arg=at,
    )
    page.wait_for_selector(READY)
    assert not page.get_by_test_id("stException").count()


def everything_is_reached(page):
    """Tab reaches every control, is held by none, and shows where it is."""
    for _ in range(ROUNDS):  # a chart that comes after a round is in the next
        found = undisturbed(page)
        missed = stops(page) - {name for _, name, _ in found}
        if not missed:
            break
    # What scrolls inside Streamlit's grid of numbers has no name and no look.
    assert [name for _, name, seen in found if name and not seen] == []
    assert missed == set()


def undisturbed(page):
    """As `around`, in a round during which nothing was drawn."""
    for _ in range(ROUNDS):
        page.evaluate(WATCH)
        found = around(page)
        if not page.evaluate("window.redrawn"):
            return found
        page.wait_for_selector(READY)
    raise AssertionError(f"the page is drawn again in each of {ROUNDS} rounds")


def stops(page):
    """The names of all that is seen in the main part of the page and can be used."""
    found = set()
    for role in ("link", "combobox", "slider", "button"):
        for each in page.get_by_test_id("stMain").get_by_role(role).all():
            # The arrow of a choice is no stop of its own.
            if each.is_visible() and not each.is_disabled() and each.evaluate("each => each.tabIndex") >= 0:
                found.add(" ".join((each.get_attribute("aria-label") or each.inner_text()).split())[:80])
    return found
