"""`probe report`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from probe.cli.app import Json, command, print_err
from probe.cli.pages import deliver, drawn, exported
from probe.cli.verifying import Revoked, Signers, sealed
from probe.errors import ExistsError, PlanError

LARGEST = 2**20  # bytes of notes


@command("report")
def report(
    bundle: Annotated[Path, typer.Argument(help="The folder of an audit.")],
    written: Annotated[str, typer.Option("--format", help="html, or a form of `probe export`.")] = "html",
    out: Annotated[Path | None, typer.Option(help="A file to write; stdout unless given.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="A PDF to write; a Chromium on this machine prints it.")] = None,
    sections: Annotated[str, typer.Option(help="Which sections, such as scope,findings; all unless given.")] = "",
    notes: Annotated[
        Path | None, typer.Option(help="A text file with your notes, to print before the sections.")
    ] = None,
    digest: Annotated[str | None, typer.Option(help="A digest that you received separately, for the seal.")] = None,
    signers: Signers = None,
    revoked: Revoked = None,
    as_json: Json = False,
) -> None:
    """Write an audit as a page (html) or a PDF, with the sections, the notes and the seal of your choice.

    Its seal is one of three, as that of `probe verify`.
    """
    page_alone = {"--pdf": pdf, "--sections": sections, "--notes": notes, "--digest": digest, "--signers": signers}
    if written != "html" or as_json:
        for option, given in page_alone.items():
            if given:
                raise PlanError(f"{option} is for the page; leave out --format and --json, or {option}")
        deliver(exported(bundle, "json" if as_json else written, "html"), out)
        return
    page = _page(bundle, sections, notes, (digest, signers, revoked))
    if pdf is not None:
        _print(page, pdf)
    if out is not None or pdf is None:
        deliver(page, out)


def _page(bundle: Path, sections: str, notes: Path | None, known: tuple[Any, ...]) -> str:
    from probe.audit import read, verify
    from probe.report import Choice

    names = tuple(name.strip() for name in sections.split(",") if name.strip())
    choice = Choice(names, _text(notes) if notes is not None else "", sealed(verify(bundle), *known).words)
    return drawn(read(bundle), choice)


def _text(file: Path) -> str:
    if not file.is_file():
        raise PlanError(f"there is no file {file}; --notes names a text file")
    if file.stat().st_size > LARGEST:
        raise PlanError(f"{file} is larger than 1 MiB; shorten the notes")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise PlanError(f"{file} is not UTF-8 text; save the notes as plain text") from None


def _print(page: str, pdf: Path) -> None:
    from probe.report.pdf import to_pdf

    if pdf.exists():
        raise ExistsError(f"{pdf} exists and is left as it is; choose another --pdf")
    pdf.write_bytes(to_pdf(page))
    print_err(f"wrote {pdf}")
