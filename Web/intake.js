// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { formatNumber } from "./element.js";
import { areMany, carried, gatherEntries, gatherFiles } from "./gathering.js";

/**
 * The ways pictures get onto the page: dropped anywhere, pasted, or chosen. A few are looked at one by one; a folder, a
 * zip, or more than a few become a list.
 * @param {import("./session.js").Session} session
 * @param {import("./folder-desk.js").FolderDesk} desk
 * @param {{input: HTMLInputElement, folderInput: HTMLInputElement, chooseButtons: Iterable<HTMLElement>,
 *   folderButtons: Iterable<HTMLElement>, veil: HTMLElement, search: HTMLElement}} elements
 */
export function followIntake(session, desk, elements) {
    const { input, folderInput, chooseButtons, folderButtons, veil, search } = elements;
    for (const button of chooseButtons) button.addEventListener("click", () => input.click());
    for (const button of folderButtons) button.addEventListener("click", () => folderInput.click());
    const takeFiles = async (files) => {
        if (areMany(files)) desk.receive(await gatherFiles(files));
        else session.add(files);
    };
    input.addEventListener("change", () => {
        takeFiles([...input.files]);
        // Without this, choosing the same file again would not be a change.
        input.value = "";
    });
    folderInput.addEventListener("change", async () => {
        const files = [...folderInput.files];
        folderInput.value = "";
        if (files.length > 0) desk.receive(await gatherFiles(files));
    });
    document.addEventListener("paste", ({ clipboardData }) => takeFiles([...(clipboardData?.files ?? [])]));
    followDrops(veil, async (dataTransfer) => {
        const { files, entries, isFolder } = carried(dataTransfer);
        if (isFolder) desk.receive(await lookThrough(entries, search));
        else await takeFiles(files);
    });
}

/** Large folders take a while: the page says how far it is. */
async function lookThrough(entries, search) {
    search.hidden = false;
    try {
        return await gatherEntries(entries, (count) => {
            search.firstElementChild.textContent = `Looking through the folder: ${formatNumber(count)} files`;
        });
    } finally {
        search.hidden = true;
    }
}

function followDrops(veil, take) {
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
        take(event.dataTransfer);
    });
}
