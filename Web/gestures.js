// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

const CLICK_TOLERANCE = 4;
const WHEEL_SENSITIVITY = 0.0022;
const LINE_HEIGHT = 32;

/**
 * What a person means by moving fingers, mouse or wheel over the picture, in CSS pixels within the element.
 * @typedef {object} GestureHandlers
 * @property {(x: number, y: number, factor: number) => void} zoom
 * @property {(dx: number, dy: number) => void} pan
 * @property {(x: number, y: number) => void} hover
 * @property {() => void} leave
 * @property {(x: number, y: number) => void} tap
 * @property {(x: number, y: number) => void} doubleTap
 */

/**
 * Turns pointer and wheel events into gestures: one pointer pans, two pinch, none hovers.
 * @param {HTMLElement} element
 * @param {GestureHandlers} handlers
 */
export function followGestures(element, handlers) {
    /** @type {Map<number, {x: number, y: number}>} */
    const pointers = new Map();
    let travelled = 0;

    const position = ({ clientX, clientY }) => {
        const { left, top } = element.getBoundingClientRect();
        return { x: clientX - left, y: clientY - top };
    };

    element.addEventListener("pointerdown", (event) => {
        if (event.pointerType === "mouse" && event.button !== 0) return;
        element.setPointerCapture(event.pointerId);
        pointers.set(event.pointerId, position(event));
        travelled = pointers.size > 1 ? Infinity : 0;
    });

    element.addEventListener("pointermove", (event) => {
        const to = position(event);
        const from = pointers.get(event.pointerId);
        if (!from) {
            handlers.hover(to.x, to.y);
            return;
        }
        const distance = Math.hypot(to.x - from.x, to.y - from.y);
        if (pointers.size === 1 && travelled + distance < CLICK_TOLERANCE) return;
        travelled += distance;
        const before = grip(pointers);
        pointers.set(event.pointerId, to);
        const after = grip(pointers);
        handlers.pan(after.x - before.x, after.y - before.y);
        if (before.spread > 0) handlers.zoom(after.x, after.y, after.spread / before.spread);
    });

    element.addEventListener("pointerup", (event) => {
        if (pointers.delete(event.pointerId) && travelled < CLICK_TOLERANCE) {
            const { x, y } = position(event);
            handlers.tap(x, y);
        }
    });
    element.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
    element.addEventListener("pointerleave", () => handlers.leave());

    element.addEventListener("dblclick", (event) => {
        const { x, y } = position(event);
        handlers.doubleTap(x, y);
    });

    const onWheel = (event) => {
        // Where the page itself scrolls, as on a phone, a plain wheel stays the page's; a pinch arrives with ctrlKey.
        const page = document.scrollingElement;
        if (!event.ctrlKey && page.scrollHeight > page.clientHeight + 1) return;
        event.preventDefault();
        const amount = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * LINE_HEIGHT : event.deltaY;
        const strength = event.ctrlKey ? 4 : 1;
        const { x, y } = position(event);
        handlers.zoom(x, y, Math.exp(-amount * WHEEL_SENSITIVITY * strength));
    };
    element.addEventListener("wheel", onWheel, { passive: false });
}

/** The middle of all pointers, and how far they lie apart. */
function grip(pointers) {
    const points = [...pointers.values()];
    const x = points.reduce((sum, point) => sum + point.x, 0) / points.length;
    const y = points.reduce((sum, point) => sum + point.y, 0) / points.length;
    const spread = points.reduce((sum, point) => sum + Math.hypot(point.x - x, point.y - y), 0);
    return { x, y, spread };
}
