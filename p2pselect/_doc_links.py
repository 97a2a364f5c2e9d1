"""Where an estimator's HTML representation links to."""

from __future__ import annotations

#: The documentation of the latest release.
DOCUMENTATION = "https://p2pselect.readthedocs.io/en/stable"


class DocumentedEstimator:
    """Mixin before ``BaseEstimator``: its HTML representation links to our reference."""

    _doc_link_module = "p2pselect"
    _doc_link_template = DOCUMENTATION + "/reference/{page}"

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        room, name = type(self).__module__.split(".")[1], type(self).__name__
        pages = {
            "baselines": f"baselines.html#p2pselect.methods.{name}",
            "model_selection": f"generated/p2pselect.model_selection.{name}.html",
        }
        return {"page": pages.get(room, f"generated/p2pselect.{name}.html")}
