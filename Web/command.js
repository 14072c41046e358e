// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { predictPath } from "./api.js";

/**
 * The line for a shell that asks the server the same as the page does.
 * @param {import("./picture.js").Picture} picture
 * @param {string} modelName
 * @param {number} confidence
 */
export function curlCommand(picture, modelName, confidence) {
    const address = new URL(predictPath(modelName, confidence), document.baseURI).href;
    const type = picture.file?.type || "application/octet-stream";
    const file = quoted(`@${picture.name}`);
    return `curl -H ${quoted(`Content-Type: ${type}`)} --data-binary ${file} ${quoted(address)}`;
}

/** The current picture's `curl` line, with a button that copies it. */
export class CommandLine {
    #session;
    #announcer;
    #elements;

    /**
     * @param {import("./session.js").Session} session
     * @param {import("./announcer.js").Announcer} announcer
     * @param {{section: HTMLElement, code: HTMLElement, copyButton: HTMLButtonElement}} elements
     */
    constructor(session, announcer, elements) {
        this.#session = session;
        this.#announcer = announcer;
        this.#elements = elements;
        elements.copyButton.addEventListener("click", () => this.#copy());
        session.follow(["current", "model", "filter"], () => this.#render());
    }

    #render() {
        const { current, modelName, confidence } = this.#session;
        const { section, code } = this.#elements;
        section.hidden = !current || !modelName;
        if (!section.hidden) code.textContent = curlCommand(current, modelName, confidence);
    }

    async #copy() {
        const { code } = this.#elements;
        const isCopied = await copyText(code);
        this.#announcer.show(isCopied ? "Copied" : "The line is selected; copy it with the keyboard");
    }
}

/** The clipboard is only there on https and localhost; elsewhere the older way still works in most browsers. */
async function copyText(source) {
    try {
        await navigator.clipboard.writeText(source.textContent);
        return true;
    } catch {
        window.getSelection().selectAllChildren(source);
        return document.execCommand("copy");
    }
}

function quoted(text) {
    return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
