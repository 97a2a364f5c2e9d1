"""Where an estimator's HTML representation links to."""

from __future__ import annotations

#: The documentation of the latest release.
DOCUMENTATION = "https://p2pselect.readthedocs.io/en/stable"


class DocumentedEstimator:
    """Mixin before ``BaseEstimator``: its HTML representation links to our reference."""

    _doc_link_module = "p2pselect"
    _doc_link_template = DOCUMENTATION + "/reference/{page}"

    #: What exports the class in the reference; by default its room.
    _documented_in: str | None = None

    def _doc_link_url_param_generator(self) -> dict[str, str]:
        room = ".".join(type(self).__module__.split(".")[:2])
        home = self._documented_in or room
        return {"page": f"generated/{home}.{type(self).__name__}.html"}
