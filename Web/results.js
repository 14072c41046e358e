// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { findings } from "./api.js";
import { counted, element, formatScore, setText, swatch } from "./element.js";

/** The current picture's detections as rows, tied to their boxes: pointing at one shows the other. */
export class Results {
    #session;
    #palette;
    #section;
    #list;
    #summary;
    #emptyText;
    #view;
    /** @type {Map<import("./api.js").Detection, HTMLLIElement>} */
    #rows = new Map();
    #renderedAnswer = null;

    /**
     * @param {import("./session.js").Session} session
     * @param {import("./palette.js").Palette} palette
     * @param {import("./picture-view.js").PictureView} view
     * @param {{section: HTMLElement, list: HTMLElement, summary: HTMLElement, emptyText: HTMLElement}} elements
     */
    constructor(session, palette, view, { section, list, summary, emptyText }) {
        this.#section = section;
        this.#session = session;
        this.#palette = palette;
        this.#view = view;
        this.#list = list;
        this.#summary = summary;
        this.#emptyText = emptyText;
        session.follow(["current", "model", "outcome", "filter"], () => this.#render());
        session.addEventListener("highlight", () => this.#markHighlight());
        list.addEventListener("keydown", (event) => this.#moveFocus(event));
        list.addEventListener("pointerleave", () => session.hover(null));
    }

    /** Moves the keyboard's focus into the list. */
    focus() {
        const row = this.#rows.get(this.#session.selected) ?? this.#visibleRows[0];
        row?.firstElementChild.focus();
    }

    get #visibleRows() {
        return [...this.#rows.values()].filter((row) => !row.hidden);
    }

    #render() {
        const answer = this.#session.outcome?.answer ?? null;
        if (answer !== this.#renderedAnswer) this.#renderRows(answer);
        const shown = new Set(this.#session.shown());
        for (const [detection, row] of this.#rows) row.hidden = !shown.has(detection);
        this.#updateTabStop();
        this.#describe(answer, shown.size);
        this.#markHighlight();
    }

    #renderRows(answer) {
        this.#renderedAnswer = answer;
        const detections = findings(answer);
        this.#rows = new Map(detections.map((detection, index) => [detection, this.#row(detection, index)]));
        this.#list.replaceChildren(...this.#rows.values());
        this.#list.scrollTop = 0;
    }

    #row(detection, index) {
        const { label, score, box } = detection;
        const meter = element("span", { className: "row-meter", attributes: { "aria-hidden": "true" } });
        const level = meter.appendChild(element("span"));
        const colour = this.#palette.colour(detection);
        level.style.width = `${score * 100}%`;
        level.style.backgroundColor = colour;
        const button = element("button", {
            className: "row",
            attributes: { type: "button", tabindex: -1, "aria-label": spoken(detection) },
            data: { index, label, score, box: JSON.stringify(box ?? null) },
            children: [
                swatch(colour),
                element("span", { className: "row-label", text: label }),
                element("span", { className: "row-place", text: placeOf(box) }),
                element("span", { className: "row-score", text: formatScore(score) }),
                meter,
            ],
        });
        const session = this.#session;
        button.addEventListener("pointerenter", () => session.hover(detection));
        button.addEventListener("focus", () => button.matches(":focus-visible") && session.hover(detection));
        button.addEventListener("blur", () => session.hovered === detection && session.hover(null));
        button.addEventListener("click", () => {
            session.select(detection);
            this.#view.reveal(detection);
        });
        button.addEventListener("dblclick", () => this.#view.zoomTo(detection));
        return element("li", { children: [button] });
    }

    #describe(answer, shownCount) {
        this.#section.hidden = answer === null;
        if (!answer) return;
        const foundCount = findings(answer).length;
        const rest = shownCount < foundCount ? ` of ${foundCount}` : "";
        setText(this.#summary, `${shownCount}${rest}`);
        setText(this.#emptyText, shownCount > 0 ? "" : this.#whyEmpty(foundCount));
    }

    #whyEmpty(foundCount) {
        if (foundCount === 0) return `${this.#session.modelName} found nothing in this picture.`;
        if (this.#session.hiddenLabels.size > 0) return "Nothing is left with these classes and this confidence.";
        const level = formatScore(this.#session.confidence);
        return `Nothing at ${level} or above; ${counted(foundCount, "weaker detection")} below.`;
    }

    #updateTabStop() {
        const rows = this.#visibleRows;
        const current = rows.find((row) => row.firstElementChild.tabIndex === 0) ?? rows[0];
        for (const row of this.#rows.values()) row.firstElementChild.tabIndex = row === current ? 0 : -1;
    }

    #markHighlight() {
        const { highlighted, selected } = this.#session;
        for (const [detection, row] of this.#rows) {
            const button = row.firstElementChild;
            button.classList.toggle("is-highlighted", detection === highlighted);
            if (detection === selected) button.setAttribute("aria-current", "true");
            else button.removeAttribute("aria-current");
        }
        const row = this.#rows.get(highlighted);
        if (row && !row.contains(document.activeElement)) scrollWithin(this.#list, row);
    }

    #moveFocus(event) {
        const rows = this.#visibleRows;
        const index = rows.indexOf(event.target.closest("li"));
        const targets = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: rows.length - 1 };
        const next = rows[targets[event.key]];
        if (event.key in targets) event.preventDefault();
        if (!next) return;
        for (const row of rows) row.firstElementChild.tabIndex = row === next ? 0 : -1;
        next.firstElementChild.focus();
    }
}

/** `scrollIntoView` would also scroll the page, away from the picture that the person points at. */
function scrollWithin(list, row) {
    const room = list.getBoundingClientRect();
    const place = row.getBoundingClientRect();
    if (list.matches(":hover")) return;
    if (place.top < room.top) list.scrollTop -= room.top - place.top;
    else if (place.bottom > room.bottom) list.scrollTop += place.bottom - room.bottom;
}

function placeOf(box) {
    if (!box) return "";
    const [x1, y1, x2, y2] = box.map(Math.round);
    return `${x2 - x1} × ${y2 - y1}`;
}

function spoken({ label, score, box }) {
    const what = `${label}, ${formatScore(score)}`;
    if (!box) return what;
    const [x1, y1, x2, y2] = box.map(Math.round);
    return `${what}, ${x2 - x1} by ${y2 - y1} pixels at ${x1}, ${y1}`;
}
