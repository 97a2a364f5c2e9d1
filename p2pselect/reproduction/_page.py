"""A run as one static HTML page, with its figures and tables also as files."""

from __future__ import annotations

import base64
import io
import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from p2pselect.exceptions import InputError
from p2pselect.reproduction import _claims as claims
from p2pselect.reproduction import _rendering as rendering
from p2pselect.reproduction._figures import figures
from p2pselect.reproduction._longform import write_csv
from p2pselect.reproduction._records import Record, Records
from p2pselect.reproduction._results import Results
from p2pselect.reproduction._tables import tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .4rem 0 1.6rem }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #ddd }
th:first-child { text-align: left; font-weight: normal }
thead th { border-bottom: 2px solid #333; font-weight: 600; vertical-align: bottom }
figure { margin: 0; overflow-x: auto } figcaption { max-width: 60rem }
img { max-width: 100% } pre { overflow-x: auto; background: #f4f4f4; padding: .6rem }
.no { color: #b5442e; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  body { background: #1b1b1b; color: #ddd } th, td { border-color: #444 }
  thead th { border-color: #aaa } pre { background: #2a2a2a } img { background: #fff }
}
"""


def write_report(records: Records, folder: str | os.PathLike[str]) -> Path:
    """Write tables, figures and one page with all of them.

    Parameters
    ----------
    records : Records
    folder : path-like
        Gets ``index.html``, ``figures/*.png``, ``tables.md``, ``tables.tex``,
        ``tables.csv``, ``claims.md`` and ``values.csv``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If there is no result yet.

    Examples
    --------
    >>> write_report(Records("small-run"), "small-run/report")  # doctest: +SKIP
    """
    all_records, about = records.all(), records.about()
    rows = records.rows()
    if not all_records:
        raise InputError(f"{records.folder} has no results yet")
    results, folder = Results(rows), Path(folder)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    made = tables(results)
    held = claims.claims(results)
    write_csv(rows, folder / "values.csv")
    for name, text in (
        ("tables.md", "\n".join(map(rendering.to_markdown, made))),
        ("tables.tex", "\n".join(map(rendering.to_latex, made))),
        ("tables.csv", rendering.to_csv(made)),
        ("claims.md", claims.to_markdown(held)),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    parts = [
        "<h1>p2pselect benchmark</h1>",
        _about(about, all_records),
        _failures(all_records),
        "<h2>Claims</h2>",
        _claims(held),
        "<h2>Tables</h2>",
        "<p>Mean ± standard deviation over seeds. Bold is best and underlined second of the "
        "methods that compete.</p>",
        *map(rendering.to_html, made),
        "<h2>Figures</h2>",
        *(
            _figure(figure, folder / "figures" / f"{name}.png")
            for name, figure in figures(results, records)
        ),
    ]
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width">'
        f"<title>p2pselect benchmark</title><style>{_STYLE}</style>{''.join(parts)}</html>\n"
    )
    index = folder / "index.html"
    index.write_text(page, encoding="utf-8")
    return index


def _about(about: dict, records: list[Record]) -> str:
    failed = sum(record.failed for record in records)
    hours = sum(record.facts.get("seconds", 0) for record in records) / 3600
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (
        f"<p>Scale <b>{escape(about['scale']['name'])}</b>, {len(records)} cells "
        f"({failed} failed), {hours:.2f} hours of work in all, begun {about['started']}. "
        f"{escape(versions)}.</p><pre>{escape(about['command'])}</pre>"
    )


def _failures(records: list[Record]) -> str:
    return "".join(
        f'<h2 class="no">Failed: {record.cell.key}</h2><pre>{escape(record.error)}</pre>'
        for record in records
        if record.failed
    )


_VERDICTS = {
    claims.YES: "holds",
    claims.NO: "<span class=no>does not hold</span>",
    claims.OPEN: "is not decided",
}


def _claims(held: list[claims.Claim]) -> str:
    lines = "".join(
        f"<tr><th>{escape(c.dataset)}: {escape(c.words)}</th>"
        f"<td>{_VERDICTS[c.verdict]}</td>"
        f"<td>{escape(c.numbers)}</td></tr>"
        for c in held
    )
    head = "<thead><tr><th></th><th></th><th>per cent</th></tr></thead>"
    return f"<table>{head}<tbody>{lines}</tbody></table>"


def _figure(figure: Figure, path: Path) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, bbox_inches="tight")
    path.write_bytes(buffer.getvalue())
    code = base64.b64encode(buffer.getvalue()).decode("ascii")
    title = escape(str(figure.get_label()), quote=True)
    return f'<figure><img alt="{title}" src="data:image/png;base64,{code}"></figure>'
