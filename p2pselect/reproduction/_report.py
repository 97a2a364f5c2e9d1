"""A run as one static HTML page, with its figures and tables also as files."""

from __future__ import annotations

import base64
import io
import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2pselect.exceptions import InputError
from p2pselect.reproduction import _claims as claims
from p2pselect.reproduction import _table_formats as formats
from p2pselect.reproduction._figures import figures
from p2pselect.reproduction._run_store import RunStore, TrialResult, about_run
from p2pselect.reproduction._scores import Results, write_scores
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
.fails { color: #b5442e; font-weight: 600 }
@media (prefers-color-scheme: dark) {
  body { background: #1b1b1b; color: #ddd } th, td { border-color: #444 }
  thead th { border-color: #aaa } pre { background: #2a2a2a } img { background: #fff }
}
"""


def write_report(store: RunStore, folder: str | os.PathLike[str]) -> Path:
    """Write tables, figures, and one page that shows all of them.

    Parameters
    ----------
    store : RunStore
        The results.
    folder : path-like
        Will contain ``index.html``, ``figures/*.png``, ``tables.md``, ``tables.tex``,
        ``tables.csv``, ``claims.md`` and ``scores.csv``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    InputError
        If there are no results yet.

    Examples
    --------
    >>> write_report(RunStore("small-run"), "small-run/report")  # doctest: +SKIP
    """
    about, trial_results, scores = about_run(store), store.results(), store.long_form()
    if not trial_results:
        raise InputError(f"{store.folder} does not have any results yet")
    folder, results = Path(folder), Results(scores)
    made, decided = tables(results), claims.claims(results)
    (folder / "figures").mkdir(parents=True, exist_ok=True)
    write_scores(scores, folder / "scores.csv")
    for name, text in (
        ("tables.md", "\n".join(map(formats.to_markdown, made))),
        ("tables.tex", "\n".join(map(formats.to_latex, made))),
        ("tables.csv", formats.to_csv(made)),
        ("claims.md", claims.to_markdown(decided)),
    ):
        (folder / name).write_text(text, encoding="utf-8")
    parts = [
        "<h1>Reproduction of the paper</h1>",
        _about(about, trial_results),
        *(
            f"<h2 class=fails>Failed: {result.trial.key}</h2><pre>{escape(result.error)}</pre>"
            for result in trial_results
            if result.failed
        ),
        "<h2>Claims</h2>",
        _claims(decided),
        "<h2>Tables</h2>",
        "<p>Mean ± standard deviation over seeds. Among the methods that compete, the best is "
        "bold and the second best is underlined.</p>",
        *map(formats.to_html, made),
        "<h2>Figures</h2>",
        *(
            _figure(figure, folder / "figures" / f"{name}.png")
            for name, figure in figures(results, store)
        ),
    ]
    index = folder / "index.html"
    index.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        # The page is complete in itself: whatever it quotes, it loads and runs nothing.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width">'
        f"<title>p2pselect: the paper</title><style>{_STYLE}</style>{''.join(parts)}</html>\n",
        encoding="utf-8",
    )
    return index


def _about(about: dict[str, Any], results: list[TrialResult]) -> str:
    failed = sum(result.failed for result in results)
    hours = sum(result.facts.get("seconds", 0) for result in results) / 3600
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (
        f"<p>Suite <b>{escape(about['suite']['name'])}</b>, {len(results)} trials "
        f"({failed} failed), {hours:.2f} hours of work in total, begun {about['started']}. "
        f"{escape(versions)}.</p><pre>{escape(about['command'])}</pre>"
    )


def _claims(decided: list[claims.Claim]) -> str:
    lines = "".join(
        f"<tr><th>{escape(c.dataset)}: {escape(c.words)}</th>"
        f"<td class={c.verdict}>{c.verdict}</td><td>{escape(c.numbers)}</td></tr>"
        for c in decided
    )
    head = "<thead><tr><th></th><th></th><th>percent</th></tr></thead>"
    return f"<table>{head}<tbody>{lines}</tbody></table>"


def _figure(figure: Figure, path: Path) -> str:
    buffer = io.BytesIO()
    # "tight", because legends stand outside their axes.
    figure.savefig(buffer, format="png", dpi=120, bbox_inches="tight")
    path.write_bytes(buffer.getvalue())
    code = base64.b64encode(buffer.getvalue()).decode("ascii")
    title = escape(str(figure.get_label()), quote=True)
    return f'<figure><img alt="{title}" src="data:image/png;base64,{code}"></figure>'
