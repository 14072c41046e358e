// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { Announcer } from "./announcer.js";
import { ClassChips } from "./classes.js";
import { CommandLine } from "./command.js";
import { ConfidenceSlider } from "./confidence.js";
import { Dispatcher } from "./dispatcher.js";
import { Downloads } from "./downloads.js";
import { setText } from "./element.js";
import { FolderDesk } from "./folder-desk.js";
import { FolderDownloads } from "./folder-downloads.js";
import { FolderList } from "./folder-list.js";
import { FolderMemory, tabStorage } from "./folder-memory.js";
import { FolderShowing } from "./folder-showing.js";
import { FolderView } from "./folder-view.js";
import { followIntake } from "./intake.js";
import { followKeyboard } from "./keyboard.js";
import { ModelPicker } from "./model-picker.js";
import { ModelProblems } from "./model-problems.js";
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
new ModelProblems(session, byID("model-problems"));

const desk = new FolderDesk(session, announcer, new FolderMemory(tabStorage()));
const showing = new FolderShowing(session, desk);
const folderList = new FolderList(session, showing, {
    box: byID("folder-list"),
    sizer: byID("folder-sizer"),
    empty: byID("folder-empty"),
});
const folderDownloads = new FolderDownloads(session, desk, announcer, {
    json: byID("folder-json"),
    coco: byID("folder-coco"),
    csv: byID("folder-csv"),
});
new FolderView(desk, folderList, folderDownloads, announcer, {
    section: byID("folder"),
    stage: byID("stage"),
    title: byID("folder-title"),
    model: byID("folder-model"),
    progress: byID("folder-progress"),
    bar: byID("folder-bar"),
    note: byID("folder-note"),
    ways: byID("folder-ways"),
    pause: byID("folder-pause"),
    cancel: byID("folder-cancel"),
    retry: byID("folder-retry"),
    remove: byID("folder-remove"),
    close: byID("folder-close"),
    choices: document.querySelectorAll("[name=folder-choice]"),
    offer: byID("offer"),
    offerText: byID("offer-text"),
    takeUp: byID("take-up"),
    forget: byID("forget"),
});

followIntake(session, desk, {
    input: byID("files"),
    folderInput: byID("folder-files"),
    chooseButtons: document.querySelectorAll("[data-action=choose]"),
    folderButtons: document.querySelectorAll("[data-action=choose-folder]"),
    veil: byID("veil"),
    search: byID("search"),
});
followSamples(session, { section: byID("samples"), buttons: document.querySelectorAll("[data-sample]") });
followKeyboard(session, view, results, canvas, (distance) => folderList.step(distance) || session.step(distance));

byID("zoom-in").addEventListener("click", () => view.zoomIn());
byID("zoom-out").addEventListener("click", () => view.zoomOut());
byID("zoom-fit").addEventListener("click", () => view.fit());
byID("labels").addEventListener("click", ({ currentTarget }) => {
    view.hasLabels = !view.hasLabels;
    currentTarget.setAttribute("aria-pressed", String(view.hasLabels));
});

desk.addEventListener("folder", showPhase);
session.follow(["pictures", "current", "outcome"], () => {
    const { current, outcome } = session;
    showPhase();
    const size = outcome?.answer?.image;
    byID("picture-name").textContent = current?.name.split("/").at(-1) ?? "";
    byID("picture-name").title = current?.name ?? "";
    setText(byID("picture-size"), size ? `${size.width} × ${size.height}` : "");
});

function showPhase() {
    document.body.dataset.phase = session.current || desk.folder ? "pictures" : "welcome";
}

session.follow(["models", "model"], () => {
    const classes = session.model?.classes ?? [];
    const some = classes.slice(0, 7).join(", ");
    const rest = classes.length > 7 ? ` and ${classes.length - 7} more` : "";
    setText(byID("welcome-classes"), classes.length > 0 ? `${session.modelName} knows ${some}${rest}.` : "");
});
