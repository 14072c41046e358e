// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

const PAN_STEP = 80;

/**
 * The keys that work all over the page: arrows for pictures and rows, + − 0 for zoom, Escape to step back.
 * @param {import("./session.js").Session} session
 * @param {import("./picture-view.js").PictureView} view
 * @param {import("./results.js").Results} results
 * @param {HTMLElement} canvas
 * @param {(distance: number) => void} step looks at a picture further on or back
 */
export function followKeyboard(session, view, results, canvas, step) {
    const zoomKeys = {
        "+": () => view.zoomIn(),
        "=": () => view.zoomIn(),
        "-": () => view.zoomOut(),
        "_": () => view.zoomOut(),
        "0": () => view.fit(),
        "Escape": () => stepBack(session, view),
    };
    const panKeys = {
        ArrowLeft: () => view.pan(PAN_STEP, 0),
        ArrowRight: () => view.pan(-PAN_STEP, 0),
        ArrowUp: () => view.pan(0, PAN_STEP),
        ArrowDown: () => view.pan(0, -PAN_STEP),
    };
    const moveKeys = {
        ArrowLeft: () => step(-1),
        ArrowRight: () => step(+1),
        ArrowUp: () => results.focus(),
        ArrowDown: () => results.focus(),
    };
    document.addEventListener("keydown", (event) => {
        if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !session.current) return;
        const { target, key } = event;
        // A drop-down finds its entries by any key, and a slider moves by the arrows.
        if (target.matches("select") && key !== "Escape") return;
        const arrows = target === canvas && view.isZoomed ? panKeys : moveKeys;
        const action = zoomKeys[key] ?? (target.matches("input") ? undefined : arrows[key]);
        if (!action) return;
        event.preventDefault();
        action();
    });
}

/** Lets go of what stands out first, of the zoom next. */
function stepBack(session, view) {
    if (session.highlighted) {
        session.hover(null);
        session.select(null);
    } else {
        view.fit();
    }
}
