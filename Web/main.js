// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { Announcer } from "./announcer.js";
import { ClassChips } from "./classes.js";
import { CommandLine } from "./command.js";
import { ConfidenceSlider } from "./confidence.js";
import { Dispatcher } from "./dispatcher.js";
import { Downloads } from "./downloads.js";
import { setText } from "./element.js";
import { followIntake } from "./intake.js";
import { followKeyboard } from "./keyboard.js";
import { ModelPicker } from "./model-picker.js";
import { Notice } from "./notice.js";
import { Palette } from "./palette.js";
import { PictureView } from "./picture-view.js";
import { Results } from "./results.js";
import { followSamples } from "./samples.js";
import { Session } from "./session.js";
import { Strip } from "./strip.js";
import { Timings } from "./timings.js";

const byID = (id) => document.getElementById(id);

const session = new Session();
const palette = new Palette();
const canvas = byID("canvas");
const announcer = new Announcer(session, { region: byID("announcer"), toast: byID("toast") });
const view = new PictureView(session, palette, canvas);
const results = new Results(session, palette, view, {
    section: byID("found"),
    list: byID("results"),
    summary: byID("results-count"),
    emptyText: byID("results-empty"),
});

new ConfidenceSlider(session, {
    slider: byID("confidence"),
    output: byID("confidence-value"),
    resetButton: byID("confidence-reset"),
    histogram: byID("histogram"),
});
new ClassChips(session, palette, { section: byID("classes"), list: byID("chips"), allButton: byID("classes-all") });
new Strip(session, byID("thumbnails"));
new Notice(session, {
    status: byID("status"),
    hint: byID("hint"),
    problem: byID("problem"),
    title: byID("problem-title"),
    detail: byID("problem-detail"),
    code: byID("problem-code"),
    retryButton: byID("retry"),
    removeButton: byID("discard"),
});
new Timings(session, {
    section: byID("timings"),
    bar: byID("timing-bar"),
    whole: byID("timing-whole"),
    list: byID("timing-list"),
});
new Downloads(session, palette, view, announcer, {
    section: byID("downloads"),
    json: byID("download-json"),
    csv: byID("download-csv"),
    png: byID("download-png"),
    all: byID("download-all"),
    allField: byID("download-all-field"),
});
new CommandLine(session, announcer, {
    section: byID("command"),
    code: byID("command-line"),
    copyButton: byID("command-copy"),
});
new Dispatcher(session);
new ModelPicker(session, { select: byID("model"), state: byID("model-state") });

followIntake(session, {
    input: byID("files"),
    chooseButtons: document.querySelectorAll("[data-action=choose]"),
    veil: byID("veil"),
});
followSamples(session, { section: byID("samples"), buttons: document.querySelectorAll("[data-sample]") });
followKeyboard(session, view, results, canvas);

byID("zoom-in").addEventListener("click", () => view.zoomIn());
byID("zoom-out").addEventListener("click", () => view.zoomOut());
byID("zoom-fit").addEventListener("click", () => view.fit());
byID("labels").addEventListener("click", ({ currentTarget }) => {
    view.hasLabels = !view.hasLabels;
    currentTarget.setAttribute("aria-pressed", String(view.hasLabels));
});

session.follow(["pictures", "current", "outcome"], () => {
    const { current, outcome } = session;
    document.body.dataset.phase = current ? "pictures" : "welcome";
    const size = outcome?.answer?.image;
    byID("picture-name").textContent = current?.name ?? "";
    byID("picture-name").title = current?.name ?? "";
    setText(byID("picture-size"), size ? `${size.width} × ${size.height}` : "");
});

session.follow(["models", "model"], () => {
    const classes = session.model?.classes ?? [];
    const some = classes.slice(0, 7).join(", ");
    const rest = classes.length > 7 ? ` and ${classes.length - 7} more` : "";
    setText(byID("welcome-classes"), classes.length > 0 ? `${session.modelName} knows ${some}${rest}.` : "");
});
