"""Faults of training: random numbers, what the program around may do, callbacks, views."""

from mutants.fault import planted

FAULTS = [
    *planted(
        "training/_isolation.py",
        "training/test_seeding.py::test_own_numbers_go_on_where_they_stopped",
        {
            "                self.states = _get_states(self.device)\n": "",
            "                _set_states(callers, self.device)\n": "",
            "                _set_states(self.states, self.device)\n": "",
        },
    ),
    *planted(
        "training/_isolation.py",
        "training/test_seeding.py::test_without_a_random_state_numpys_generator_decides",
        {
            "return int(check_random_state(random_state).randint(2**31 - 1))": "return int(np.random.SeedSequence().generate_state(1)[0] >> 1 if random_state is None else check_random_state(random_state).randint(2**31 - 1))",
        },
    ),
    *planted(
        "training/_isolation.py",
        "training/test_seeding.py::test_what_the_program_has_switched_changes_nothing[float64]",
        {
            "                torch.set_default_dtype(torch.float32)\n": "",
            "                torch.set_default_dtype(dtype)\n": "",
        },
    ),
    *planted(
        "training/_isolation.py",
        "training/test_seeding.py::test_turns_are_taken_in_order",
        {
            "            with self._queue:\n                self._turn.acquire()": "            self._turn.acquire()",
            "        if self._owner != me:": "        if True:",
        },
    ),
    *planted(
        "training/_isolation.py",
        "training/test_seeding.py::test_a_forked_child_does_not_wait_for_threads_of_its_parent",
        {
            "    _TURNS.after_fork()\n": "",
            "        torch.set_rng_state(rng)\n": "",
        },
    ),
    *planted(
        "training/_isolation.py",
        "training/test_seeding.py::test_a_device_that_is_not_there",
        {
            'if resolved.type == "meta":': "if False:",
        },
    ),
    *planted(
        "training/_isolation.py",
        "training/test_seeding.py::test_what_the_program_has_switched_changes_nothing",
        {
            "        if torch.is_inference_mode_enabled():": "        if False:",
            "            if torch.is_autocast_enabled(device):": "            if False:",
            '        if torch.get_default_device().type != "cpu":': "        if False:",
        },
    ),
    *planted(
        "training/_isolation.py",
        "training/test_seeding.py::test_a_forked_child_answers_after_the_model_was_used",
        {
            "            inside.callback(torch.set_num_threads, threads)\n": "",
        },
    ),
    *planted(
        "training/_net.py",
        "training/test_monitors.py",
        {
            "            if preparing and compares_epochs(callback):\n                continue\n": "",
            "            self.interrupted = True\n": "",
            "        self.interrupted = False\n        try:": "        try:",
            "asked = isinstance(error, StopTraining) or entry not in self.watchers": "asked = True",
            '                self.history.record("stopped", True)\n': "",
            '            del self.history[-2].get("batches", [])[:-1]': '            self.history[-2]["batches"] = []',
        },
    ),
    *planted(
        "training/_callbacks.py",
        "training/test_monitors.py",
        {
            "if held_out and compares_epochs(callback) and not has_held_out:": "if False:",
            "        if scores_predictions(callback, training=False) and not has_held_out:": "        if False:",
            'return bool(name == "ReduceLROnPlateau")': "return True",
        },
    ),
    *planted(
        "training/_callbacks.py",
        "training/test_best_epoch.py",
        {
            "        if not net.is_in_last_phase:\n            return\n        loss": "        loss",
            "            self.loss, self.misses = loss, 0": "            self.loss = loss",
            "if self.misses == self.patience:": "if self.misses > self.patience:",
            '        self.weights = state["weights"]\n': "",
            "self.weights = deepcopy(net.module_.state_dict())": "self.weights = net.module_.state_dict()",
        },
    ),
    *planted(
        "training/_net.py",
        "training/test_best_epoch.py",
        {
            "            self.average.take_over(self.module_)": "            pass",
            "            self.average.give_back(self.module_)": "            pass",
            "seed, smoothing = self.seed, 0.0": "seed, smoothing = self.epoch_seed, 0.0",
        },
    ),
    *planted(
        "training/_net.py",
        "training/test_rates.py",
        {
            '"lr": share * self.lr,': '"lr": self.lr,',
            "seed, smoothing = self.seed, 0.0": "seed, smoothing = self.seed, self.label_smoothing",
        },
    ),
    *planted(
        "training/_training_run.py",
        "training/test_rates.py",
        {
            'settings.lr * group.get("lr_share", 1.0)': "settings.lr",
        },
    ),
    *planted(
        "nn/_frozen.py",
        "training/test_rates.py",
        {
            "    every -= {id(parameter) for head in heads for parameter in head.parameters()}\n": "",
        },
    ),
    *planted(
        "explanations/figures/_learning_display.py",
        "explanations/test_learning_curves.py",
        {
            "column[~np.isfinite(column)] = np.nan": "pass",
            "self.values[name][start:stop]": "self.values[name][:stop - start]",
        },
    ),
    *planted(
        "estimators/_saving.py",
        "explanations/test_learning_curves.py",
        {
            '    estimator.history_.extend(decode(row) for row in config["history"])\n': "",
        },
    ),
    *planted(
        "training/_rising_rates.py",
        "test_learning_rate.py",
        {
            " / (1 - _MEMORY ** len(self.rates))": "",
            "max(1, self.n_steps - 1)": "self.n_steps",
            " or self.losses[-1] > worst": "",
        },
    ),
    *planted(
        "model_selection/_learning_rate.py",
        "test_learning_rate.py",
        {
            "trained = clone(estimator).set_params(": "trained = estimator.set_params(",
            "    if trained.random_state is None:": "    if False:",
        },
    ),
    *planted(
        "training/_progress.py",
        "training/test_progress.py",
        {
            "disable=not sys.stderr.isatty(),": "",
            'float(np.mean(net.history[-_N_TIMED:, "dur"])) * left': 'float(np.mean(net.history[-_N_TIMED:, "dur"]))',
            "if np.isfinite(row.get(name, np.inf)):": "if name in row:",
        },
    ),
    *planted(
        "training/_measuring.py",
        "training/test_best_epoch.py training/test_monitors.py",
        {
            '"kept": kept.mean()': '"kept": 1 - kept.mean()',
            "self.measures_predictions and self.is_in_last_phase": "self.measures_predictions",
            "            loss = torch.full_like(loss, torch.inf)": "            pass",
            "losses, terms = self._losses(part, progress=1.0)": "losses, terms = self._losses(part)",
        },
    ),
    *planted(
        "training/_training_run.py",
        "training/test_best_epoch.py",
        {
            "        best.take_over(net.module_)": "        pass",
        },
    ),
    *planted(
        "training/_validation.py",
        "training/test_validation.py",
        {
            "min(round(share * len(rows)), len(rows) - 1)": "round(share * len(rows))",
            "_MOST / n)": "1.0)",
            "    if np.intersect1d(train, held_out).size:": "    if False:",
            "len(held_out) >= _FEWEST and ": "",
            "rng.permutation(np.flatnonzero(stratum == number))": "np.flatnonzero(stratum == number)",
        },
    ),
    *planted(
        "estimators/_training_images.py",
        "training/test_validation.py::test_nothing_is_learned_from_held_out_images",
        {
            "return cls(given.part(rows[0]), given.part": "return cls(given, given.part",
        },
    ),
    *planted(
        "estimators/_fitting.py",
        "training/test_validation.py::test_poisoned_labels_of_held_out_images_are_not_learned",
        {
            "weigh(self.class_weight, division.train, classes)": "weigh(self.class_weight, given, classes)",
        },
    ),
    *planted(
        "estimators/_changes.py",
        "training/test_validation.py::test_settings_with_a_pair_are_copied_compared_and_saved",
        {
            "        return [*map(id, value)]": "        pass",
        },
    ),
    *planted(
        "training/_checkpoints.py",
        "training/test_monitors.py::test_a_training_that_was_stopped_early_is_over",
        {
            "        if _is_stopped(net):\n            self._write(net)": "        if False:\n            self._write(net)",
        },
    ),
    *planted(
        "training/_augmentation.py",
        "training/test_augmentation.py",
        {
            "        return partial(augmented, augment)": "        return augment",
            '        with Randomness(seed, torch.device("cpu")).in_place():\n            views': "        if True:\n            views",
            "        if not (images.min() >= 0 and images.max() <= 1):": "        if images.min() < 0 or images.max() > 1:",
            "or not 0 <= regions.max() < n_labels": "",
        },
    ),
    *planted(
        "estimators/_training_images.py",
        "training/test_augmentation.py::test_a_fault_of_an_augmentation_is_found_before_anything_else",
        {
            "    if callable(views.augment):": "    if False:",
        },
    ),
    *planted(
        "training/_training_run.py",
        "training/test_workers.py::test_what_cannot_be_sent_to_a_worker_is_said",
        {
            '    if (set_by_program or multiprocessing.get_all_start_methods()[0]) == "fork":': "    if True:",
        },
    ),
    *planted(
        "training/_stream.py",
        "training/test_stream.py::test_a_stream_that_does_not_end_is_mentioned_once",
        {
            "                warn_at = math.inf\n": "",
        },
    ),
    *planted(
        "training/_progress.py",
        "training/test_progress.py::test_a_bar_begins_at_the_epochs_that_are_done",
        {
            "initial=self.done,": "",
        },
    ),
    *planted(
        "training/_training_run.py",
        "estimators/test_p2p.py::test_memory_is_given_back_at_once",
        {"net.predictor = None  #": "pass  #"},
    ),
    *planted(
        "training/_training_run.py",
        "training/test_progress.py::test_a_training_that_goes_on_begins_where_it_was_stopped",
        {
            "TrainingProgress(epochs, done, n_held_out)": "TrainingProgress(epochs, 0, n_held_out)",
        },
    ),
    *planted(
        "training/_callbacks.py",
        "training/test_outcome.py::test_the_border_is_the_entropy_of_the_classes",
        {
            "if found and min(found) >= _SHARE_OF_GUESSING * scale * of_guessing:": "if found and min(found) >= 2 * scale * of_guessing:",
            "total / len(X)": "1.0",
        },
    ),
    *planted(
        "nn/_frozen.py",
        "nn/test_frozen.py",
        {
            "if self.frozen_share == 1:\n            # Layers": "if False:\n            # Layers",
            "            layer.training = False\n": "",
        },
    ),
]
