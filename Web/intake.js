// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/**
 * The three ways a picture gets onto the page: dropped anywhere, pasted, or chosen.
 * @param {import("./session.js").Session} session
 * @param {{input: HTMLInputElement, chooseButtons: Iterable<HTMLElement>, veil: HTMLElement}} elements
 */
export function followIntake(session, { input, chooseButtons, veil }) {
    for (const button of chooseButtons) button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
        session.add(input.files);
        // Without this, choosing the same file again would not be a change.
        input.value = "";
    });
    document.addEventListener("paste", ({ clipboardData }) => session.add(clipboardData?.files ?? []));
    followDrops(session, veil);
}

function followDrops(session, veil) {
    let depth = 0;
    const carriesFiles = ({ dataTransfer }) => dataTransfer?.types.includes("Files") ?? false;
    const enter = (change) => {
        depth = Math.max(0, depth + change);
        veil.hidden = depth === 0;
    };
    // Every element on the way tells of entering and leaving; only the balance says whether the page is left.
    document.addEventListener("dragenter", (event) => carriesFiles(event) && enter(+1));
    document.addEventListener("dragleave", (event) => carriesFiles(event) && enter(-1));
    document.addEventListener("dragover", (event) => {
        if (!carriesFiles(event)) return;
        event.preventDefault();
        event.dataTransfer.dropEffect = "copy";
    });
    document.addEventListener("drop", (event) => {
        if (!carriesFiles(event)) return;
        event.preventDefault();
        enter(-depth);
        session.add(event.dataTransfer.files);
    });
}
