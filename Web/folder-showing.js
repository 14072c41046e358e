// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { ServerProblem } from "./api.js";
import { typeOf } from "./gathering.js";
import { Picture } from "./picture.js";

/** Shows one picture of a folder as pictures are shown, and lets go of it when another one is looked at. */
export class FolderShowing {
    /** @type {import("./folder.js").FolderPicture | null} the one that is looked at */
    current = null;
    #session;
    #desk;
    /** @type {Picture | null} */
    #picture = null;
    #shownStatus = "";
    #wanted = null;

    /**
     * @param {import("./session.js").Session} session
     * @param {import("./folder-desk.js").FolderDesk} desk
     */
    constructor(session, desk) {
        this.#session = session;
        this.#desk = desk;
        session.addEventListener("current", () => this.#letGo());
        session.addEventListener("outcome", ({ detail }) => this.#takeOver(detail));
        desk.addEventListener("folder", () => this.#begin());
    }

    /** @param {import("./folder.js").FolderPicture} wanted */
    async show(wanted) {
        this.#wanted = wanted;
        const [file, answer] = await Promise.all([openedFile(wanted), wanted.answer()]);
        if (this.#wanted !== wanted) return;
        const picture = new Picture(file, wanted.name);
        this.#describe(picture, wanted, answer);
        const { folder } = this.#desk;
        if (!folder) return;
        this.current = wanted;
        const before = this.#picture;
        this.#picture = picture;
        this.#session.show(picture);
        before?.discard();
    }

    #begin() {
        const { folder } = this.#desk;
        if (!folder) {
            this.#wanted = null;
            if (this.#picture && this.#session.current === this.#picture) {
                this.#session.show(this.#session.pictures[0] ?? null);
            }
            return;
        }
        folder.addEventListener("change", () => this.#follow(folder));
        // The file of the one that is looked at may come again.
        folder.addEventListener("pictures", () => {
            if (this.current?.file && this.#picture?.file === null) this.show(this.current);
        });
        if (folder.pictures.length > 0) this.show(folder.pictures[0]);
    }

    #describe(picture, { status, problem }, answer) {
        this.#shownStatus = status;
        picture.setOutcome(this.#desk.folder.modelName, outcomeOf(status, problem, answer));
    }

    /** What is looked at may come to its end meanwhile. */
    async #follow(folder) {
        const { current } = this;
        if (!current || folder !== this.#desk.folder || current.status === this.#shownStatus) return;
        this.#shownStatus = current.status;
        const answer = await current.answer();
        if (current !== this.current || !this.#picture || !this.#desk.folder) return;
        this.#describe(this.#picture, current, answer);
        this.#session.outcomeChanged(this.#picture);
    }

    /** A picture that failed in the folder and was tried again by hand is done in the folder too. */
    #takeOver(picture) {
        const { folder } = this.#desk;
        if (!folder || picture !== this.#picture || !this.current || this.current.status === "done") return;
        const { status, answer } = picture.outcome(folder.modelName);
        if (status !== "done" || !this.current.hasEnded) return;
        this.#shownStatus = "done";
        folder.finish(this.current, answer);
    }

    #letGo() {
        if (!this.#picture || this.#session.current === this.#picture) return;
        this.#picture.discard();
        this.#picture = null;
        this.current = null;
        this.#wanted = null;
        this.#desk.folder?.dispatchEvent(new CustomEvent("change"));
    }
}

async function openedFile({ name, file }) {
    if (file === null || file instanceof Blob) return file;
    return file.open(typeOf(name)).catch(() => null);
}

/** @returns {import("./picture.js").Outcome} */
function outcomeOf(status, problem, answer) {
    if (status === "done") return { status, answer, attempts: 1 };
    if (status === "failed") return { status, problem, attempts: 1 };
    if (status !== "cancelled") return { status: "listed", attempts: 0 };
    const detail = "This picture was taken back before it was answered.";
    return { status: "failed", problem: new ServerProblem({ title: "Cancelled", detail }), attempts: 1 };
}
