// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { counted, element } from "./element.js";

/** The visit's pictures as a strip of thumbnails, each with its state and its count. */
export class Strip {
    #session;
    #list;
    /** @type {Map<import("./picture.js").Picture, HTMLLIElement>} */
    #items = new Map();
    #thumbnailsWanted = [];
    #isLoadingThumbnails = false;

    /**
     * @param {import("./session.js").Session} session
     * @param {HTMLElement} list
     */
    constructor(session, list) {
        this.#session = session;
        this.#list = list;
        session.addEventListener("pictures", () => this.#renderItems());
        session.addEventListener("outcome", ({ detail }) => this.#update(detail));
        session.follow(["current", "model", "models", "filter"], () => this.#updateAll());
        list.addEventListener("keydown", (event) => this.#removeByKey(event));
    }

    #renderItems() {
        const { pictures } = this.#session;
        for (const [picture, item] of this.#items) {
            if (pictures.includes(picture)) continue;
            item.remove();
            this.#items.delete(picture);
        }
        for (const picture of pictures) {
            if (this.#items.has(picture)) continue;
            const item = this.#item(picture);
            this.#items.set(picture, item);
            this.#list.append(item);
            this.#thumbnailsWanted.push(picture);
        }
        this.#updateAll();
        this.#loadThumbnails();
    }

    #item(picture) {
        const button = element("button", {
            className: "thumbnail",
            attributes: { type: "button" },
            children: [
                element("span", { className: "thumbnail-name", text: picture.name }),
                element("span", { className: "badge", attributes: { "aria-hidden": "true" } }),
            ],
        });
        button.addEventListener("click", () => this.#session.show(picture));
        const remove = element("button", {
            className: "remove",
            text: "×",
            attributes: { type: "button", tabindex: -1, "aria-label": `Remove ${picture.name}`, title: "Remove" },
        });
        remove.addEventListener("click", () => this.#session.remove(picture));
        return element("li", { data: { name: picture.name }, children: [button, remove] });
    }

    #updateAll() {
        for (const picture of this.#items.keys()) this.#update(picture);
    }

    #update(picture) {
        const item = this.#items.get(picture);
        if (!item) return;
        const { current, modelName, pictures } = this.#session;
        const { status, problem } = picture.outcome(modelName);
        const isCurrent = picture === current;
        // While a folder's picture is looked at, the keyboard still needs a way into the strip.
        const isWayIn = isCurrent || (picture === pictures[0] && !pictures.includes(current));
        const button = item.firstElementChild;
        const hadFocus = this.#list.contains(document.activeElement);
        const count = this.#session.shown(picture).length;
        item.dataset.status = status;
        button.tabIndex = isWayIn ? 0 : -1;
        button.title = picture.name;
        button.setAttribute("aria-label", `${picture.name}: ${spokenStatus(status, count, problem)}`);
        button.querySelector(".badge").textContent = { done: count, failed: "!" }[status] ?? "";
        if (picture.thumbnail && !button.contains(picture.thumbnail)) {
            button.classList.add("has-image");
            button.prepend(picture.thumbnail);
        }
        if (!isCurrent) {
            button.removeAttribute("aria-current");
        } else if (!button.hasAttribute("aria-current")) {
            button.setAttribute("aria-current", "true");
            if (hadFocus) button.focus();
            scrollSideways(this.#list, item);
        }
    }

    /** One after another, since decoding many large pictures at once would need a lot of memory. */
    async #loadThumbnails() {
        if (this.#isLoadingThumbnails) return;
        this.#isLoadingThumbnails = true;
        while (this.#thumbnailsWanted.length > 0) {
            const picture = this.#thumbnailsWanted.shift();
            if (!this.#items.has(picture)) continue;
            await picture.load();
            if (picture !== this.#session.current) picture.release();
            this.#update(picture);
        }
        this.#isLoadingThumbnails = false;
    }

    #removeByKey(event) {
        if (event.key !== "Delete" && event.key !== "Backspace") return;
        event.preventDefault();
        this.#session.remove(this.#session.current);
        this.#items.get(this.#session.current)?.firstElementChild.focus();
    }
}

function spokenStatus(status, count, problem) {
    switch (status) {
        case "done": return `${counted(count, "detection")} shown`;
        case "failed": return `failed, ${problem.title}`;
        case "running": return "running";
        case "waiting": return "waiting for the busy server";
        default: return "queued";
    }
}

function scrollSideways(list, item) {
    const room = list.getBoundingClientRect();
    const place = item.getBoundingClientRect();
    if (place.left < room.left) list.scrollLeft -= room.left - place.left + place.width;
    else if (place.right > room.right) list.scrollLeft += place.right - room.right + place.width;
}
