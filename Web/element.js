// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/**
 * Makes an element. Text is always set as text, so that file names and labels can hold anything.
 * @param {string} tag
 * @param {object} [options]
 * @param {string} [options.className]
 * @param {string} [options.text]
 * @param {Record<string, string | number>} [options.attributes]
 * @param {Record<string, string | number>} [options.data]
 * @param {(Node | string)[]} [options.children]
 * @returns {HTMLElement}
 */
export function element(tag, { className = "", text, attributes = {}, data = {}, children = [] } = {}) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    Object.assign(made.dataset, data);
    made.append(...children);
    return made;
}

/**
 * A class's colour as a small square.
 * @param {string} colour
 */
export function swatch(colour) {
    const made = element("span", { className: "swatch", attributes: { "aria-hidden": "true" } });
    made.style.backgroundColor = colour;
    return made;
}

/**
 * Sets an element's text and hides the element where there is none.
 * @param {HTMLElement} target
 * @param {string} text
 */
export function setText(target, text) {
    if (target.textContent !== text) target.textContent = text;
    target.hidden = text === "";
}

/**
 * “1 picture”, “12,000 pictures”; “1 class”, “2 classes”.
 * @param {number} count
 * @param {string} noun
 * @param {string} [plural]
 */
export function counted(count, noun, plural = `${noun}s`) {
    return `${formatNumber(count)} ${count === 1 ? noun : plural}`;
}

/**
 * “12,000”, whatever language the browser speaks: the page speaks English.
 * @param {number} number
 */
export function formatNumber(number) {
    return number.toLocaleString("en");
}

/**
 * How a score is written everywhere on the page.
 * @param {number} score between 0 and 1
 */
export function formatScore(score) {
    return `${Math.round(score * 100)}%`;
}
