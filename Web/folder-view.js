// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { counted, formatNumber, setText } from "./element.js";

const TICK_MS = 1_000;

/** The rate is that of the last so many seconds. */
const RATE_SECONDS = 20;

/** How long a second press is waited for where the first one would lose something. */
const SECOND_THOUGHT_MS = 5_000;

/** The head of a folder: how far it is, how fast, what stands in the way, and what can be done with it. */
export class FolderView {
    #desk;
    #list;
    #downloads;
    #announcer;
    #elements;
    #frame = 0;
    #timer = 0;
    #closeTimer = 0;
    /** @type {{time: number, ended: number}[]} */
    #samples = [];
    #saidTenths = 0;
    #saidNote = "";

    /**
     * @param {import("./folder-desk.js").FolderDesk} desk
     * @param {import("./folder-list.js").FolderList} list
     * @param {import("./folder-downloads.js").FolderDownloads} downloads
     * @param {import("./announcer.js").Announcer} announcer
     * @param {Record<string, HTMLElement> & {choices: Iterable<HTMLInputElement>}} elements
     */
    constructor(desk, list, downloads, announcer, elements) {
        this.#desk = desk;
        this.#list = list;
        this.#downloads = downloads;
        this.#announcer = announcer;
        this.#elements = elements;
        const { pause, cancel, retry, remove, close } = elements;
        pause.addEventListener("click", () => desk.pause(!desk.folder.isPaused));
        cancel.addEventListener("click", () => this.#cancel());
        retry.addEventListener("click", () => {
            desk.retry();
            elements.section.focus();
        });
        remove.addEventListener("click", () => this.#remove());
        close.addEventListener("click", () => this.#close());
        for (const choice of elements.choices) choice.addEventListener("change", () => list.choose(choice.value));
        elements.takeUp.addEventListener("click", () => {
            desk.takeUp();
            elements.section.focus();
        });
        elements.forget.addEventListener("click", () => desk.forget());
        desk.addEventListener("folder", () => this.#open());
        this.#renderOffer();
    }

    #open() {
        const { folder } = this.#desk;
        const { section, title, choices } = this.#elements;
        section.hidden = folder === null;
        document.body.toggleAttribute("data-folder", folder !== null);
        this.#renderOffer();
        this.#samples = [];
        this.#saidTenths = 0;
        clearInterval(this.#timer);
        for (const choice of choices) choice.checked = choice.value === "all";
        if (folder) {
            title.textContent = folder.name;
            title.title = folder.name;
            for (const event of ["change", "pictures", "job", "end"]) {
                folder.addEventListener(event, () => this.#renderSoon());
            }
            this.#timer = setInterval(() => this.#tick(), TICK_MS);
            this.#tick();
        }
        this.#list.open(folder);
    }

    /** What an earlier visit of this tab left on the server. */
    #renderOffer() {
        const { offer, offerText } = this.#elements;
        const remembered = this.#desk.remembered;
        offer.hidden = remembered === null;
        if (!remembered) return;
        const count = remembered.jobs.reduce((sum, { names }) => sum + names.length, 0);
        const sent = `${counted(count, "picture")} of ‘${remembered.name}’`;
        offerText.textContent = `Before this page was loaded anew, ${sent} went to the server.`;
    }

    #renderSoon() {
        if (this.#frame) return;
        this.#frame = requestAnimationFrame(() => {
            this.#frame = 0;
            this.#render();
        });
    }

    /** Time goes on even where nothing happens; and a page in the background draws no frames. */
    #tick() {
        const { folder } = this.#desk;
        if (!folder) return;
        const now = performance.now();
        this.#samples.push({ time: now, ended: folder.counts.done + folder.counts.failed });
        while (now - this.#samples[0].time > RATE_SECONDS * 1000) this.#samples.shift();
        this.#say(folder);
        this.#render();
    }

    #render() {
        const { folder } = this.#desk;
        if (!folder) return;
        this.#renderBar(folder);
        const { model, progress, note, ways } = this.#elements;
        setText(model, `by ${folder.modelName}`);
        progress.textContent = this.#progressText(folder);
        setText(note, folder.note);
        setText(ways, waysText(folder));
        this.#renderButtons(folder);
        this.#renderChoices(folder);
        this.#downloads.render();
    }

    #renderBar({ counts, pictures }) {
        const { bar } = this.#elements;
        const total = Math.max(1, pictures.length);
        const ended = counts.done + counts.failed;
        const shares = { done: counts.done, failed: counts.failed, sent: counts.uploaded + counts.asking };
        for (const part of bar.children) part.style.width = `${(100 * shares[part.dataset.part]) / total}%`;
        bar.setAttribute("aria-valuemax", pictures.length);
        bar.setAttribute("aria-valuenow", ended);
        bar.setAttribute("aria-valuetext", `${formatNumber(ended)} of ${counted(pictures.length, "picture")}`);
    }

    #progressText(folder) {
        const { counts, pictures, remaining } = folder;
        const parts = [`${formatNumber(counts.done + counts.failed)} of ${formatNumber(pictures.length)} done`];
        if (counts.failed > 0) parts.push(`${formatNumber(counts.failed)} failed`);
        if (counts.cancelled > 0) parts.push(`${formatNumber(counts.cancelled)} cancelled`);
        const rate = this.#rate;
        if (remaining > 0) {
            if (folder.isPaused && counts.uploading + counts.uploaded + counts.asking === 0) parts.push("paused");
            else if (rate > 0) {
                parts.push(`${formatRate(rate)} a second`, `about ${formatSeconds(remaining / rate)} left`);
            }
        } else if (folder.ended !== null && counts.cancelled === 0) {
            parts.push(`in ${formatSeconds((folder.ended - folder.started) / 1000)}`);
        }
        return parts.join(" · ");
    }

    get #rate() {
        const [first, last] = [this.#samples[0], this.#samples.at(-1)];
        const seconds = (last.time - first.time) / 1000;
        return seconds >= 1 ? (last.ended - first.ended) / seconds : 0;
    }

    #renderButtons(folder) {
        const { pause, cancel, retry, remove, close } = this.#elements;
        const isRunning = folder.remaining > 0;
        const again = isRunning ? 0 : folder.retriable.length;
        pause.hidden = !isRunning || (folder.unsent === 0 && !folder.isPaused);
        pause.textContent = folder.isPaused ? "Go on" : "Pause";
        cancel.hidden = !isRunning;
        retry.hidden = again === 0;
        retry.textContent = `Try ${formatNumber(again)} again`;
        remove.hidden = isRunning || folder.jobs.every(({ isGone }) => isGone);
        close.hidden = isRunning;
    }

    #renderChoices({ counts }) {
        for (const choice of this.#elements.choices) {
            if (choice.value !== "failed") continue;
            const count = counts.failed + counts.cancelled;
            choice.parentElement.lastElementChild.textContent = count > 0 ? `Failed ${formatNumber(count)}` : "Failed";
        }
    }

    /** Tells those who don't see the bar: every tenth, and what stands in the way. */
    #say(folder) {
        const { counts, pictures, note } = folder;
        const tenths = Math.floor((10 * (counts.done + counts.failed)) / Math.max(1, pictures.length));
        if (note !== this.#saidNote && note) this.#announcer.say(note);
        else if (tenths > this.#saidTenths && tenths < 10) this.#announcer.say(`${folder.name}: ${tenths * 10}% done`);
        this.#saidNote = note;
        this.#saidTenths = tenths;
    }

    async #cancel() {
        const { folder } = this.#desk;
        await this.#desk.cancel();
        this.#announcer.show(`${counted(folder.counts.cancelled, "picture")} taken back`);
        this.#elements.section.focus();
    }

    async #remove() {
        const { remove, section } = this.#elements;
        remove.disabled = true;
        await this.#desk.deleteFromServer();
        remove.disabled = false;
        this.#render();
        if (!remove.hidden) return;
        this.#announcer.show("The server has forgotten these pictures and their results");
        section.focus();
    }

    /** Results that were not saved are lost with the folder: that takes a second press. */
    #close() {
        const { close } = this.#elements;
        clearTimeout(this.#closeTimer);
        const settle = () => {
            delete close.dataset.asked;
            close.textContent = "Close";
        };
        if (this.#downloads.isSaved || close.dataset.asked) {
            settle();
            this.#desk.close();
            this.#elements.stage.focus();
            return;
        }
        close.dataset.asked = "true";
        close.textContent = "Close unsaved";
        this.#announcer.show("The results are not saved; press again to close without them");
        this.#closeTimer = setTimeout(settle, SECOND_THOUGHT_MS);
    }
}

/** What a person may wonder about and can't see. */
function waysText(folder) {
    const texts = [];
    const { pictures, lost, passedOver, usesJobs, isPaused, counts, jobs } = folder;
    if (lost > 0) {
        const count = counted(lost, "picture");
        texts.push(`${count} had not been sent when the page was loaded anew: add the folder again to send what is missing.`);
    }
    if (pictures.some(({ file }) => file === null)) {
        texts.push("The pictures themselves went with the reload: add the folder again to see them.");
    }
    if (!usesJobs) texts.push("This server keeps no jobs: leave the page open until all is done.");
    else if (folder.unsent > 0) texts.push("Leave the page open until all is sent.");
    if (isPaused && counts.uploaded > 0) texts.push("What was sent goes on.");
    if (passedOver > 0) texts.push(`${counted(passedOver, "file")} passed over: no pictures.`);
    if (folder.remaining === 0) texts.push(keptText(jobs));
    return texts.filter(Boolean).join(" ");
}

function keptText(jobs) {
    const times = jobs.filter(({ isGone, expires }) => !isGone && expires).map(({ expires }) => Date.parse(expires));
    if (times.length === 0) return "";
    const until = new Date(Math.min(...times));
    const text = until.toLocaleString("en-GB", { weekday: "long", hour: "2-digit", minute: "2-digit" });
    return `The server keeps the results until ${text}.`;
}

function formatRate(rate) {
    return rate >= 10 ? formatNumber(Math.round(rate)) : rate.toFixed(1);
}

function formatSeconds(seconds) {
    const whole = Math.max(1, Math.round(seconds));
    if (whole < 100) return `${whole} s`;
    const minutes = Math.round(whole / 60);
    return minutes < 100 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
