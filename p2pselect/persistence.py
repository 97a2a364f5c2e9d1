"""Saved models by their folder: read, described, and brought to the Hugging Face hub and back.

Which class a model is of is found in the table of methods.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p2pselect._model_card import facts
from p2pselect._model_folder import CONFIG, FILES, read_config, readable
from p2pselect.atomic_write import atomic_folder
from p2pselect.exceptions import ModelFileError, brief

if TYPE_CHECKING:
    from p2pselect.estimators._base import SelectiveImageClassifier

__all__ = ["describe", "load", "pull_from_hub", "push_to_hub"]


def load(path: str | os.PathLike[str]) -> SelectiveImageClassifier:
    """Read a model that ``estimator.save(path)`` wrote.

    Loading never unpickles and never imports a name that the file gives: the class is one of
    the library's methods.  A method of your own reads its models itself:
    ``MyClassifier.load(path)``.

    Parameters
    ----------
    path : str or path-like
        The folder.

    Returns
    -------
    SelectiveImageClassifier
        The fitted estimator.  It is on its ``device`` if this exists here, otherwise on the one
        that ``"auto"`` finds.  ``pretrained`` and ``training__compile`` take effect from the
        next ``fit``.

    Raises
    ------
    ModelFileError
        If the folder is missing, damaged, of another format, or not of one of the library's
        methods.

    Examples
    --------
    >>> load("digits.model")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    p2pselect.exceptions.ModelFileError: digits.model is not a saved model: ...
    """
    # Imported here, so that `describe` loads neither torch nor scikit-learn.
    from p2pselect.estimators._saving import load_model
    from p2pselect.methods import METHODS

    path = Path(path)
    with readable(path):
        config = read_config(path)
        name = config["class"]
        classes = {method.cls.__name__: method.cls for method in METHODS.values()}
        if name not in classes:
            raise ModelFileError(
                f"{path / CONFIG}: class must be one of {sorted(classes)}, got {brief(name)}; "
                "a model of your own class is read by its own load: MyClassifier.load(path)"
            )
        return load_model(classes[name], path, config)


def describe(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Describe a saved model without building its networks: the facts of its model card.

    Parameters
    ----------
    path : str or path-like
        The folder.

    Returns
    -------
    dict
        ``class``, ``classes`` (str), ``several_labels`` (bool), ``images`` (how many of
        each class were ``trained`` on and ``held_out`` by the last training), ``masks``
        (how many have taught it where the evidence is), ``image_size`` (int, or height
        and width), ``resize``, ``channels`` (how many the networks see),
        ``value_range`` (None, the pairs of values that become 0 and 1, or ``"window"``),
        ``normalization``, ``regions``, ``tau``, ``certainty_threshold``, ``parameters``
        (how many each network has), ``held_out`` (None, or the scores of the held-out
        images), ``calibration`` (None, or what ``calibrate`` was asked for), ``audit``
        (None, or what ``save`` was given), and the ``date`` and ``versions`` of when it
        was saved.

    Raises
    ------
    ModelFileError
        If the folder is missing, damaged or of another format.

    Examples
    --------
    >>> describe("digits.model")["image_size"]  # doctest: +SKIP
    64
    """
    path = Path(path)
    with readable(path):
        return facts(read_config(path))


def push_to_hub(
    path: str | os.PathLike[str],
    repo_id: str,
    *,
    private: bool | None = None,
    revision: str | None = None,
) -> str:
    """Upload a saved model to the Hugging Face hub, which shows its model card.

    You have to be logged in there (``hf auth login``).  The three files of the model are
    uploaded and nothing else; the model card on the hub is replaced by the one in the folder.

    Parameters
    ----------
    path : str or path-like
        The folder that ``estimator.save(path)`` wrote.
    repo_id : str
        Where to, for example ``"ana/leaves"``.  A repository that does not exist is made.
    private : bool, optional
        Whether a new repository is private; by default what your account says.  One that
        exists stays as it is.
    revision : str, optional
        The branch to upload to; by default the main one.

    Returns
    -------
    str
        The address of the repository.

    Raises
    ------
    ModelFileError
        If the folder is not a saved model, which is found out first, or the hub refuses it or
        cannot be reached.

    Examples
    --------
    >>> push_to_hub("leaves.model", "ana/leaves", private=True)  # doctest: +SKIP
    'https://huggingface.co/ana/leaves'
    """
    path = Path(path)
    with readable(path):
        read_config(path)
    with _hub_errors(repo_id, "uploaded to"):
        # Here, because describing and loading a model should not have to wait for it.
        import huggingface_hub as hub

        address = hub.create_repo(repo_id, private=private, exist_ok=True)
        hub.upload_folder(
            repo_id=repo_id,
            folder_path=path,
            allow_patterns=list(FILES),
            revision=revision,
            commit_message="Upload a model of p2pselect",
        )
    return str(address)


def pull_from_hub(
    repo_id: str, path: str | os.PathLike[str], *, revision: str | None = None
) -> Path:
    """Download a saved model from the Hugging Face hub into a folder, for :func:`load`.

    Parameters
    ----------
    repo_id : str
        Where from, for example ``"ana/leaves"``.
    path : str or path-like
        A new folder, or one that holds a saved model, which is replaced in one step, with its
        model card.  A folder that holds anything else is never touched.
    revision : str, optional
        A branch, a tag or a commit; by default the main branch.  Only a commit is certain to
        give the same model again.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    InputError
        If ``path`` is something else; nothing was written.
    ModelFileError
        If the hub has no such model, cannot be reached, or gives something that is not a saved
        model; nothing was written.

    Examples
    --------
    >>> clf = load(pull_from_hub("ana/leaves", "leaves.model"))  # doctest: +SKIP
    """
    path = Path(path)
    with atomic_folder(path, FILES, "a saved model") as new:
        with _hub_errors(repo_id, "downloaded from"):
            import huggingface_hub as hub

            # As files of its own: in the hub's cache they are links, which `load` refuses.
            hub.snapshot_download(
                repo_id, revision=revision, local_dir=new, allow_patterns=list(FILES)
            )
        for extra in new.iterdir():  # what the hub remembers of its downloads
            if extra.name not in FILES:
                shutil.rmtree(extra)
        try:
            with readable(new):
                read_config(new)
        except ModelFileError as error:
            said = str(error).replace(str(new), repo_id)
            raise ModelFileError(f"what {brief(repo_id)} has on the hub: {said}") from error
    return path


@contextmanager
def _hub_errors(repo_id: str, what: str) -> Iterator[None]:
    """Turn whatever the hub raises, in many lines, into one kind of error in one."""
    try:
        yield
    # The errors of its HTTP library are among them, which is not the same in all versions.
    except Exception as error:
        said = " ".join(str(error).split())
        raise ModelFileError(
            f"{brief(repo_id)} cannot be {what} the Hugging Face hub: "
            f"{type(error).__name__}: {said}"
        ) from error
