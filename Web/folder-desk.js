// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { counted, formatNumber } from "./element.js";
import { Folder } from "./folder.js";
import { FolderAsker } from "./folder-asking.js";
import { FolderSender } from "./folder-sending.js";
import { FolderWatcher } from "./folder-watching.js";
import { deleteJob } from "./jobs.js";

const DELETIONS_AT_ONCE = 4;

/**
 * Where a folder is worked on: it has those who send, ask and watch do their parts, and knows what outlives a reload.
 *
 * Events: `folder` (another one, or none), `add` (pictures were added to the one that is there).
 */
export class FolderDesk extends EventTarget {
    /** @type {Folder | null} */
    folder = null;
    #session;
    #announcer;
    #memory;
    #sender = null;
    #asker = null;
    #watcher = null;

    /**
     * @param {import("./session.js").Session} session
     * @param {import("./announcer.js").Announcer} announcer
     * @param {import("./folder-memory.js").FolderMemory} memory
     */
    constructor(session, announcer, memory) {
        super();
        this.#session = session;
        this.#announcer = announcer;
        this.#memory = memory;
        window.addEventListener("beforeunload", (event) => this.#holdBack(event));
    }

    /** What an earlier visit of this tab left, or null. */
    get remembered() {
        return this.folder ? null : this.#memory.recall();
    }

    /**
     * Begins with what was gathered, or adds it to the folder that is there.
     * @param {import("./gathering.js").Gathered} gathered
     */
    receive({ name, pictures, passedOver, problems }) {
        if (pictures.length === 0) {
            this.#announcer.show(nothingFound(name, passedOver, problems));
            return;
        }
        const refusal = this.#refusal;
        if (refusal) {
            this.#announcer.show(refusal);
            return;
        }
        const isNew = this.folder === null;
        if (isNew) this.#begin(this.#newFolder(name));
        const { folder } = this;
        folder.passedOver += passedOver;
        const outcome = folder.add(pictures);
        this.#memory.keep(folder);
        this.#announcer.show(sentence(name, outcome, passedOver, problems));
        if (isNew) this.dispatchEvent(new CustomEvent("folder"));
        else this.dispatchEvent(new CustomEvent("add"));
        this.#work();
    }

    /** Goes on with what an earlier visit of this tab left. */
    takeUp() {
        const remembered = this.#memory.recall();
        if (!remembered) return;
        const folder = new Folder(remembered);
        folder.passedOver = remembered.passedOver;
        folder.takeUp(remembered.jobs);
        folder.lost = Math.max(0, remembered.total - folder.pictures.length);
        this.#begin(folder);
        const { models } = this.#session;
        // The list of models may not have come yet; a model that is not in it when it comes is not kept.
        if (models.length === 0 || models.some(({ name }) => name === folder.modelName)) {
            this.#session.chooseModel(folder.modelName);
        }
        this.dispatchEvent(new CustomEvent("folder"));
    }

    /** @param {boolean} isPaused whether nothing more is sent for now */
    pause(isPaused) {
        this.folder.pause(isPaused);
        if (isPaused) return;
        this.folder.setNote("sending", "");
        this.#work();
    }

    /** Takes back all that has not been answered, here and on the server. */
    async cancel() {
        const { folder } = this;
        this.#stop();
        folder.cancel();
        await this.#deleteJobs(folder, folder.jobs.filter(({ isDone, isGone }) => !isDone && !isGone));
    }

    /** Sends what failed or was cancelled again. */
    retry() {
        const { folder } = this;
        if (!this.#sender) this.#employ(folder);
        folder.retry();
        this.#work();
    }

    /** Has the server forget the folder's pictures and results. Those that have come stay on the page. */
    async deleteFromServer() {
        const { folder } = this;
        await this.#deleteJobs(folder, folder.jobs.filter(({ isGone }) => !isGone));
    }

    /** Forgets what an earlier visit left. */
    forget() {
        this.#memory.forget();
        this.dispatchEvent(new CustomEvent("folder"));
    }

    /** Puts the folder away, with its results. */
    close() {
        this.#stop();
        this.folder = null;
        this.#memory.forget();
        this.dispatchEvent(new CustomEvent("folder"));
    }

    get #refusal() {
        const { modelName } = this.#session;
        if (!modelName) return "The server has no model yet; add the pictures again when it has one.";
        const { folder } = this;
        if (!folder || folder.modelName === modelName) return "";
        return `‘${folder.name}’ is for ${folder.modelName}. Choose that model to add to it, or close it first.`;
    }

    #newFolder(name) {
        const { modelName, askedConfidence: confidence } = this.#session;
        // An offer to go on with an earlier folder ends where another one begins.
        this.#memory.forget();
        return new Folder({ name, modelName, confidence });
    }

    #begin(folder) {
        this.folder = folder;
        this.#employ(folder);
        folder.addEventListener("end", () => this.#sayEnd(folder));
        folder.addEventListener("job", ({ detail }) => {
            this.#memory.keepJob(detail);
            this.#memory.keep(folder);
        });
    }

    #employ(folder) {
        this.#watcher = new FolderWatcher(folder);
        this.#sender = new FolderSender(folder, { onWithoutJobs: () => this.#goWithoutJobs(folder) });
    }

    #work() {
        if (this.folder.usesJobs) this.#sender?.sendMore();
        else this.#asker?.askMore();
    }

    #goWithoutJobs(folder) {
        folder.usesJobs = false;
        this.#asker ??= new FolderAsker(folder);
        this.#asker.askMore();
    }

    #stop() {
        for (const worker of [this.#sender, this.#asker, this.#watcher]) worker?.stop();
        this.#sender = null;
        this.#asker = null;
        this.#watcher = null;
    }

    async #deleteJobs(folder, jobs) {
        const waiting = [...jobs];
        let problem = null;
        const deleteSome = async () => {
            for (let job = waiting.pop(); job; job = waiting.pop()) {
                try {
                    await deleteJob(job.id);
                    job.isGone = true;
                    this.#memory.forgetJob(job.id);
                } catch (error) {
                    problem = error;
                }
            }
        };
        await Promise.all(Array.from({ length: DELETIONS_AT_ONCE }, deleteSome));
        const left = jobs.filter(({ isGone }) => !isGone).length;
        folder.setNote("deleting", problem ? `${problem.title}. ${counted(left, "job")} are still on the server.` : "");
        if (!problem && folder.jobs.every(({ isGone }) => isGone)) this.#memory.forget();
        folder.dispatchEvent(new CustomEvent("change"));
        return problem === null;
    }

    #sayEnd({ name, counts, note }) {
        if (counts.cancelled > 0 || note) return;
        const failed = counts.failed > 0 ? `, ${formatNumber(counts.failed)} failed` : "";
        this.#announcer.show(`${name}: ${counted(counts.done, "picture")} done${failed}`);
    }

    /** The browser asks before it leaves what would be lost. */
    #holdBack(event) {
        const { folder } = this;
        if (folder && (folder.unsent > 0 || (!folder.usesJobs && folder.counts.done > 0))) event.preventDefault();
    }
}

function nothingFound(name, passedOver, problems) {
    const others = passedOver > 0 ? ` ${counted(passedOver, "other file")} in it.` : "";
    return problems[0] ?? `There are no pictures in ‘${name}’.${others}`;
}

function sentence(name, { added, found, known }, passedOver, problems) {
    const parts = [
        added > 0 || found === 0 ? `${counted(added, "picture")} of ‘${name}’ added` : "",
        found > 0 ? `${counted(found, "picture")} found again` : "",
        known > 0 ? `${counted(known, "picture")} in the list already` : "",
        passedOver > 0 ? `${counted(passedOver, "file")} passed over: no pictures` : "",
        ...problems.slice(0, 1),
    ];
    return parts.filter(Boolean).join("; ");
}
