"""P2P: from pixels to perception (Vandenhirtz & Vogt, ICML 2025)."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval, StrOptions

from p2pselect.methods._p2p_hooks import P2PHooks


class P2PClassifier(P2PHooks):
    r"""Image classifier that predicts from a few perceptual regions and nothing else.

    A selector scores the regions (superpixels) of an image, a classifier sees the kept
    regions on black, and a certainty threshold decides per image how much is shown.  With
    the defaults this is the configuration of the paper, trained for 20 epochs;
    :data:`p2pselect.presets.SMALL` suits small data sets and CPUs.

    Parameters
    ----------
    selector : str or callable, default="lraspp_mobilenet_v3_large"
        The paper's network, the name of a timm backbone that gets an LR-ASPP head, or a
        factory ``n_maps -> Module``.
    classifier : str or callable, default="vit_tiny_patch16_224"
        Name of a timm model, or a factory ``n_classes -> Module``.
    regions : str, callable or SuperpixelTransformer, default="slic"
        What proposes regions.  A name or callable is the ``engine`` of a
        :class:`~p2pselect.SuperpixelTransformer` with its defaults (about 100 regions).
    image_size : int, default=224
        Side in pixels of the square grid that images are resized to, at most 16384.
    pretrained : {"auto", True, False}, path or dict, default="auto"
        ``"auto"`` uses pretrained weights where they are in the cache or can be
        downloaded and otherwise warns; ``True`` raises instead; a path is a file of tensors,
        bare or wrapped (:func:`p2pselect.nn._weights.read_state_dict`), in which all but the
        head must fit.  A dict tells ``"selector"`` and ``"classifier"`` apart.
    selector_options : dict, optional
        For :func:`p2pselect.nn._selectors.build_pixel_scorer`: ``strides``,
        ``head_channels``, ``weights``.
    classifier_options : dict, optional
        More arguments for ``timm.create_model``.
    selector_image_size : int, optional
        Side in pixels of the copy that the selector sees; ``image_size`` by default.  Its
        maps are coarse anyway: half the side makes its passes about four times cheaper.
    frozen_share : float in [0, 1) or dict, default=0
        Share of each network's layers, from the image on, that keep their (pretrained)
        weights; a dict tells ``"selector"`` and ``"classifier"`` apart.
    tau : "dynamic" or float in (0, 1], default="dynamic"
        Largest fraction of pixels kept: found per image (eq. 4), or fixed.  A model that was
        fitted with ``"dynamic"`` answers every tau.  One that was fitted with a number was
        trained for that number alone, as in the paper: its selector is not told tau, so
        another tau needs another fit, `tau_training` = ``"uniform"``, or `selection` =
        ``"budget"``.
    tau_training : {"same", "uniform"}, default="same"
        What the sparsity term of training is told.  ``"same"`` is `tau`: drawn from
        U[`tau_min`, 1] for every image and step where `tau` is ``"dynamic"``, and constant
        where it is a number.  ``"uniform"`` draws it in any case, so that `tau` matters at
        prediction only and one training serves every tau.
    certainty_threshold : float in (0, 1], default=0.99
        delta of eq. 4: the search for tau stops when the largest class probability
        reaches it.  Used at prediction only.
    tau_min : float in (0, 1), default=0.05
        Start of the search and lower end of the tau drawn in training.
    tau_step : float in [0.001, 1), default=0.05
        Step of the search; tau = 1 is always tried last.
    selection : {"threshold", "budget"}, default="threshold"
        ``"threshold"`` keeps regions of probability > .5 (the paper; the kept area is not
        bounded by tau), ``"budget"`` the most probable ones while their area stays within
        tau (the constraint of eq. 2).
    allow_empty : bool, default=False
        Allow masks without any region, as the released code does.  By default the most
        probable region is always kept, even where it alone is larger than the budget: a
        classifier can be certain about a black image.
    tau_input : {"logit", "additive"}, default="logit"
        How tau enters the selector: as ``s * logit(tau)`` added to the region logits, with
        a learned slope s > 0, or as released.  Without effect where training is for one
        tau.
    embedding_dim : int, default=3
        Size of the region embeddings that make up the covariance; 0 for independent
        regions.
    sparsity_weight : float, default=10
        :math:`\lambda_1` of eq. 5, reached half-way through training.
    covariance_weight : float, default=0.01
        :math:`\lambda_2` of eq. 5, on the mean absolute entry of the covariance.
    temperature, final_temperature : float, default=1.0 and 0.5
        Of the relaxed Bernoulli masks; annealed over the first half of training.
    n_samples_mc : int, default=1
        Sampled masks per image and step.
    straight_through : bool, default=False
        Train on binary masks with the gradient of the relaxed ones.
    max_epochs : int, default=20
        Epochs of training, ``warmup_epochs`` included.
    warmup_epochs : int, default=0
        Epochs at the start in which the classifier alone learns, on random region masks.
        Not part of the paper's method; helps networks without pretrained weights.
    lr : float, default=1e-4
        Learning rate, the highest one where there is a schedule.
    optimizer : {"adam", "adamw", "sgd"} or callable, default="adam"
    lr_schedule : {"constant", "onecycle", "cosine"}, default="constant"
    weight_decay : float, default=0
    ema_decay : float in (0, 1), optional
        Predict with the moving average of the weights; .99 to .9999 are usual.
    batch_size : int, default=64
        Images per step of training and per batch of prediction.
    micro_batch_size : int, optional
        Images that go through the networks at once in training; gradients are summed up
        over a step.  Halved, with a warning, when a GPU's memory runs out.
    augment : str, callable or None, default="flip"
        Random views of the training images; the regions follow the image.  ``"flip"``
        mirrors, ``"shift"`` moves by up to a tenth of the side, ``"shift+tint"`` changes
        colours too, ``"affine"`` and ``"affine+tint"`` move, turn, scale and shear a little,
        ``"paper"`` is resized crop, flip and colour jitter, ``"paper-crop"`` the same with 7/8
        of the side.  A callable maps ``(images, regions, rng)`` to new images and regions
        of the same shapes: images (b, h, w, 3), uint8 or float in [0, 1]; regions (b, h, w),
        integers from 0; and a numpy ``Generator``.
    validation_fraction : float in (0, 1), optional
        Share of every class held out.  The terms of the loss of these images go into
        ``history_``, with all schedules at their end, so that epochs can be compared;
        ``valid_loss`` is infinite in phases that only prepare for the last one.
    class_weight : dict or "balanced", optional
        Weights of the classes in the loss.
    callbacks : list of skorch callbacks, optional
        For example ``skorch.callbacks.EarlyStopping(monitor="valid_loss")``, together with
        ``validation_fraction``.  Callbacks that compare epochs hear of those of the last
        phase only: all before it prepare for it.
    checkpoint_dir : str or path-like, optional
        Folder for the state of training after every epoch.  Run the same line again after
        it was stopped, and it goes on to the same end.  A training with other settings or
        data has a file of its own there; `callbacks` start anew.
    channels : {"last", "first"}, default="last"
        Where array-like images have their channel axis.
    image_shape : tuple of int, optional
        (h, w, c) of images that are given as flat rows (n, h * w * c).
    warm_start : bool, default=False
        Let ``fit`` continue from where the last one ended.
    device : str or torch.device, default="auto"
        ``"auto"`` takes a GPU where there is one.
    precision : {"32", "bf16-mixed"}, default="32"
        ``"bf16-mixed"`` runs the networks in bfloat16 where torch's autocast does.
    compile : bool, default=False
        Compile the networks (:func:`torch.compile`), with a warning where that fails.
    num_workers : int, default=0
        Processes that read and augment training images.
    n_jobs : int, optional
        Threads that propose regions.
    random_state : int, RandomState instance or None, default=None
        A number makes training on a CPU exactly reproducible and leaves all global
        generators untouched; None draws a seed from numpy's.
    verbose : int, default=0
        Show a progress bar.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    trained_tau_ : float or None
        The only tau that training was for; None where it was for all of them.
    module_ : p2pselect.nn._model.SelectiveModel
        The trained networks.
    net_ : skorch.NeuralNet
        What trained them.
    history_ : skorch.history.History
        Loss and terms per epoch.
    interrupted_ : bool
        Whether Ctrl-C ended the last training; what was learned until then is kept.
    regions_ : SuperpixelTransformer
    image_shape_in_ : tuple of int or None
        Height and width of the training images where they all share them.
    n_channels_in_ : int or None
        Channels of the training images; None where they were decoded from files.

    See Also
    --------
    SuperpixelTransformer : Proposes the regions.
    Explanation : What ``explain`` returns.

    References
    ----------
    Vandenhirtz, M. and Vogt, J. E. From Pixels to Perception: Interpretable Predictions
    via Instance-wise Grouped Feature Selection. ICML 2025.

    Examples
    --------
    >>> from p2pselect import P2PClassifier, datasets, presets
    >>> scenes = datasets.make_digit_scenes(24, image_size=32, random_state=0)
    >>> settings = {**presets.SMALL, "image_size": 32, "max_epochs": 1}
    >>> clf = P2PClassifier(**settings, random_state=0).fit(scenes.images, scenes.target % 2)
    >>> clf.predict(scenes.images).shape
    (24,)
    >>> clf.explain(scenes.images[:2]).pixel_masks.shape
    (2, 32, 32)
    """

    _parameter_constraints: ClassVar[dict] = {
        **P2PHooks._parameter_constraints,
        "selection": [StrOptions({"threshold", "budget"})],
        "tau_input": [StrOptions({"logit", "additive"})],
        "tau_training": [StrOptions({"same", "uniform"})],
        "embedding_dim": [Interval(Integral, 0, None, closed="left")],
        "sparsity_weight": [Interval(Real, 0, None, closed="left")],
        "covariance_weight": [Interval(Real, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "final_temperature": [Interval(Real, 0, None, closed="neither")],
        "n_samples_mc": [Interval(Integral, 1, None, closed="left")],
        "straight_through": ["boolean"],
        "warmup_epochs": [Interval(Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        selector: Any = "lraspp_mobilenet_v3_large",
        classifier: Any = "vit_tiny_patch16_224",
        regions: Any = "slic",
        image_size: int = 224,
        pretrained: Any = "auto",
        selector_options: dict[str, Any] | None = None,
        classifier_options: dict[str, Any] | None = None,
        selector_image_size: int | None = None,
        frozen_share: float | dict[str, float] = 0.0,
        tau: float | str = "dynamic",
        tau_training: str = "same",
        certainty_threshold: float = 0.99,
        tau_min: float = 0.05,
        tau_step: float = 0.05,
        selection: str = "threshold",
        allow_empty: bool = False,
        tau_input: str = "logit",
        embedding_dim: int = 3,
        sparsity_weight: float = 10.0,
        covariance_weight: float = 0.01,
        temperature: float = 1.0,
        final_temperature: float = 0.5,
        n_samples_mc: int = 1,
        straight_through: bool = False,
        max_epochs: int = 20,
        warmup_epochs: int = 0,
        lr: float = 1e-4,
        optimizer: Any = "adam",
        lr_schedule: str = "constant",
        weight_decay: float = 0.0,
        ema_decay: float | None = None,
        batch_size: int = 64,
        micro_batch_size: int | None = None,
        augment: Any = "flip",
        validation_fraction: float | None = None,
        class_weight: dict | str | None = None,
        callbacks: list | None = None,
        checkpoint_dir: str | os.PathLike[str] | None = None,
        channels: str = "last",
        image_shape: tuple[int, ...] | None = None,
        warm_start: bool = False,
        device: str | torch.device = "auto",
        precision: str = "32",
        compile: bool = False,
        num_workers: int = 0,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ):
        super().__init__(
            selector=selector,
            classifier=classifier,
            regions=regions,
            image_size=image_size,
            pretrained=pretrained,
            selector_options=selector_options,
            classifier_options=classifier_options,
            selector_image_size=selector_image_size,
            frozen_share=frozen_share,
            tau=tau,
            certainty_threshold=certainty_threshold,
            tau_min=tau_min,
            tau_step=tau_step,
            allow_empty=allow_empty,
            max_epochs=max_epochs,
            lr=lr,
            optimizer=optimizer,
            lr_schedule=lr_schedule,
            weight_decay=weight_decay,
            ema_decay=ema_decay,
            batch_size=batch_size,
            micro_batch_size=micro_batch_size,
            augment=augment,
            validation_fraction=validation_fraction,
            class_weight=class_weight,
            callbacks=callbacks,
            checkpoint_dir=checkpoint_dir,
            channels=channels,
            image_shape=image_shape,
            warm_start=warm_start,
            device=device,
            precision=precision,
            compile=compile,
            num_workers=num_workers,
            n_jobs=n_jobs,
            random_state=random_state,
            verbose=verbose,
        )
        self.selection = selection
        self.tau_training = tau_training
        self.tau_input = tau_input
        self.embedding_dim = embedding_dim
        self.sparsity_weight = sparsity_weight
        self.covariance_weight = covariance_weight
        self.temperature = temperature
        self.final_temperature = final_temperature
        self.n_samples_mc = n_samples_mc
        self.straight_through = straight_through
        self.warmup_epochs = warmup_epochs

    def export_onnx(self, path: str | os.PathLike[str]) -> None:
        """Write both networks as ONNX; see :func:`p2pselect.onnx_export.export_onnx`."""
        from p2pselect.onnx_export import export_onnx

        export_onnx(self, path)
