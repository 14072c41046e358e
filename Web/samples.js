// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/**
 * The drawn scenes of the welcome page: one click adds a scene, as if it had been chosen from a folder.
 * @param {import("./session.js").Session} session
 * @param {{section: HTMLElement, buttons: Iterable<HTMLButtonElement>}} elements each button holds the sample's picture
 */
export function followSamples(session, { section, buttons }) {
    for (const button of buttons) {
        const picture = button.querySelector("img");
        button.addEventListener("click", async () => {
            button.disabled = true;
            try {
                session.add([await file(picture.currentSrc || picture.src)]);
            } catch {
                // The server has gone; the model picker says so.
            } finally {
                button.disabled = false;
            }
        });
    }
    // The scenes show what the bundled model knows; another one may know nothing of puffins.
    session.follow(["models", "model"], () => {
        const classes = new Set(session.model?.classes ?? []);
        section.hidden = ![...buttons].some((button) =>
            button.dataset.classes.split(" ").some((label) => classes.has(label)),
        );
    });
}

async function file(address) {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`${address} answered ${response.status}`);
    return new File([await response.blob()], address.split("/").at(-1), { type: "image/jpeg" });
}
