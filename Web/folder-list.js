// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { element, formatNumber } from "./element.js";

/** Rows beyond the window's edges, so that scrolling does not show the ground. */
const SPARE_ROWS = 6;

const WORDS = {
    waiting: "waits here",
    uploading: "being sent",
    uploaded: "at the server",
    asking: "being looked at",
    cancelled: "cancelled",
};

/**
 * Which pictures are listed.
 * @type {Record<string, (picture: import("./folder.js").FolderPicture, filter: object) => boolean>}
 */
const CHOICES = {
    all: () => true,
    found: (picture, filter) => picture.status === "done" && picture.counts(filter).size > 0,
    empty: (picture, filter) => picture.status === "done" && picture.counts(filter).size === 0,
    failed: ({ status }) => status === "failed" || status === "cancelled",
};

/**
 * A folder's pictures as a list of rows, of which only those in sight are elements: ten thousand cost no more than ten.
 * The whole is one stop for the keyboard; within it the arrow keys move, and show what they move to.
 */
export class FolderList {
    #session;
    #showing;
    #box;
    #sizer;
    #empty;
    #folder = null;
    #choice = "all";
    /** @type {import("./folder.js").FolderPicture[]} */
    #listed = [];
    /** @type {Map<number, HTMLElement>} rows in sight, by their place */
    #rows = new Map();
    #active = 0;
    #frame = 0;

    /**
     * @param {import("./session.js").Session} session
     * @param {import("./folder-showing.js").FolderShowing} showing
     * @param {{box: HTMLElement, sizer: HTMLElement, empty: HTMLElement}} elements `box` scrolls, `sizer` is as high as
     *   all rows
     */
    constructor(session, showing, { box, sizer, empty }) {
        this.#session = session;
        this.#showing = showing;
        this.#box = box;
        this.#sizer = sizer;
        this.#empty = empty;
        box.addEventListener("scroll", () => this.#renderSoon(), { passive: true });
        box.addEventListener("keydown", (event) => this.#moveByKey(event));
        box.addEventListener("click", ({ target }) => this.#openRow(target.closest("[data-place]")));
        new ResizeObserver(() => this.#renderSoon()).observe(box);
        for (const event of ["current", "filter"]) session.addEventListener(event, () => this.#renderSoon());
    }

    /** @param {import("./folder.js").Folder | null} folder */
    open(folder) {
        this.#folder = folder;
        this.#choice = "all";
        this.#active = 0;
        this.#box.scrollTop = 0;
        for (const event of ["change", "pictures", "job"]) folder?.addEventListener(event, () => this.#renderSoon());
        this.#render();
    }

    /** @param {"all" | "found" | "empty" | "failed"} choice */
    choose(choice) {
        this.#choice = choice;
        this.#active = 0;
        this.#box.scrollTop = 0;
        this.#renderSoon();
    }

    /**
     * Looks at a picture further on (+1) or further back (-1) in the list.
     * @returns {boolean} whether one of the folder was looked at
     */
    step(distance) {
        if (!this.#showing.current) return false;
        const place = this.#listed.indexOf(this.#showing.current);
        this.#moveTo(place < 0 ? this.#active : place + distance);
        return true;
    }

    #renderSoon() {
        if (this.#frame) return;
        this.#frame = requestAnimationFrame(() => {
            this.#frame = 0;
            this.#render();
        });
    }

    #render() {
        const folder = this.#folder;
        const isListed = CHOICES[this.#choice];
        this.#listed = !folder ? [] : this.#choice === "all" ? folder.pictures
            : folder.pictures.filter((picture) => isListed(picture, this.#session));
        this.#active = Math.min(this.#active, Math.max(0, this.#listed.length - 1));
        this.#empty.hidden = this.#listed.length > 0;
        const height = this.#rowHeight;
        this.#sizer.style.height = `${this.#listed.length * height}px`;
        const first = Math.max(0, Math.floor(this.#box.scrollTop / height) - SPARE_ROWS);
        const count = Math.ceil(this.#box.clientHeight / height) + 2 * SPARE_ROWS;
        const end = Math.min(this.#listed.length, first + count);
        for (const [place, row] of this.#rows) {
            if (place >= first && place < end) continue;
            row.remove();
            this.#rows.delete(place);
        }
        for (let place = first; place < end; place += 1) this.#renderRow(place, height);
        // A screen reader is told of a row only while it is there.
        if (this.#rows.has(this.#active)) this.#box.setAttribute("aria-activedescendant", rowID(this.#active));
        else this.#box.removeAttribute("aria-activedescendant");
        this.#box.dataset.rows = this.#listed.length;
    }

    #renderRow(place, height) {
        let row = this.#rows.get(place);
        if (!row) {
            row = makeRow(place);
            row.style.top = `${place * height}px`;
            this.#rows.set(place, row);
            this.#sizer.append(row);
        }
        const picture = this.#listed[place];
        const { status, problem, name } = picture;
        const counts = status === "done" ? picture.counts(this.#session) : null;
        const total = counts && [...counts.values()].reduce((sum, count) => sum + count, 0);
        const isShown = picture === this.#showing.current;
        // The folder's own name stands above the list.
        const inside = name.startsWith(`${this.#folder.name}/`) ? name.slice(this.#folder.name.length + 1) : name;
        const [, folderName, fileName] = /^(.*\/)?([^/]*)$/s.exec(inside);
        const [, named, what, count] = row.children;
        const [path, file] = named.children;
        setTextOf(path, folderName ?? "");
        setTextOf(file, fileName);
        setTextOf(what, counts ? listOf(counts) : (problem?.title ?? WORDS[status] ?? ""));
        setTextOf(count, counts ? formatNumber(total) : status === "failed" ? "!" : "");
        if (row.title !== name) row.title = name;
        row.dataset.status = status;
        row.dataset.name = name;
        row.dataset.count = total ?? "";
        row.classList.toggle("is-empty", total === 0);
        row.classList.toggle("is-active", place === this.#active);
        row.setAttribute("aria-selected", String(isShown));
        row.setAttribute("aria-setsize", this.#listed.length);
        if (problem) what.title = problem.detail || problem.title;
        else what.removeAttribute("title");
    }

    get #rowHeight() {
        return parseFloat(getComputedStyle(this.#box).getPropertyValue("--row-height")) || 32;
    }

    #openRow(row) {
        if (!row) return;
        this.#moveTo(Number(row.dataset.place));
    }

    #moveByKey(event) {
        const page = Math.max(1, Math.floor(this.#box.clientHeight / this.#rowHeight) - 1);
        const targets = {
            ArrowDown: this.#active + 1,
            ArrowUp: this.#active - 1,
            PageDown: this.#active + page,
            PageUp: this.#active - page,
            Home: 0,
            End: this.#listed.length - 1,
            Enter: this.#active,
            " ": this.#active,
        };
        if (!(event.key in targets) || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        this.#moveTo(targets[event.key]);
    }

    #moveTo(place) {
        const inside = Math.max(0, Math.min(place, this.#listed.length - 1));
        const picture = this.#listed[inside];
        if (!picture) return;
        this.#active = inside;
        const height = this.#rowHeight;
        const { scrollTop, clientHeight } = this.#box;
        if (inside * height < scrollTop) this.#box.scrollTop = inside * height;
        if ((inside + 1) * height > scrollTop + clientHeight) {
            this.#box.scrollTop = (inside + 1) * height - clientHeight;
        }
        this.#render();
        if (picture !== this.#showing.current) this.#showing.show(picture);
    }
}

function makeRow(place) {
    return element("div", {
        className: "folder-row",
        attributes: { role: "option", id: rowID(place), "aria-posinset": place + 1 },
        data: { place },
        children: [
            element("span", { className: "folder-mark", attributes: { "aria-hidden": "true" } }),
            element("span", {
                className: "folder-name",
                children: [element("span", { className: "soft" }), element("span")],
            }),
            element("span", { className: "folder-what" }),
            element("span", { className: "folder-count" }),
        ],
    });
}

function rowID(place) {
    return `folder-row-${place}`;
}

/** “3 fish, 1 shark” */
function listOf(counts) {
    if (counts.size === 0) return "nothing";
    const most = [...counts].sort(([, one], [, other]) => other - one);
    return most.map(([label, count]) => `${formatNumber(count)} ${label}`).join(", ");
}

function setTextOf(target, text) {
    if (target.textContent !== text) target.textContent = text;
}
