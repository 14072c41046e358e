// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { formatScore } from "./element.js";

const BIN_COUNT = 38;
const SVG = "http://www.w3.org/2000/svg";

/** The confidence slider, with a small histogram of the current picture's scores above it: where the cut falls. */
export class ConfidenceSlider {
    #session;
    #slider;
    #output;
    #resetButton;
    #bars;

    /**
     * @param {import("./session.js").Session} session
     * @param {{slider: HTMLInputElement, output: HTMLElement, resetButton: HTMLButtonElement, histogram: SVGElement}}
     *   elements
     */
    constructor(session, { slider, output, resetButton, histogram }) {
        this.#session = session;
        this.#slider = slider;
        this.#output = output;
        this.#resetButton = resetButton;
        this.#bars = makeBars(histogram);
        slider.addEventListener("input", () => session.setConfidence(Number(slider.value)));
        resetButton.addEventListener("click", () => {
            session.resetConfidence();
            slider.focus();
        });
        session.follow(["current", "model", "models", "outcome", "filter"], () => this.#render());
    }

    #render() {
        const { confidence, askedConfidence, defaultConfidence } = this.#session;
        const level = formatScore(confidence);
        this.#slider.min = askedConfidence;
        this.#slider.value = confidence;
        this.#slider.setAttribute("aria-valuetext", level);
        this.#slider.style.setProperty("--position", (confidence - askedConfidence) / (1 - askedConfidence));
        this.#output.textContent = level;
        this.#resetButton.hidden = Math.abs(confidence - defaultConfidence) < 0.005;
        this.#resetButton.textContent = `Model’s own: ${formatScore(defaultConfidence)}`;
        this.#renderBars();
    }

    #renderBars() {
        const { confidence, askedConfidence } = this.#session;
        const binWidth = (1 - askedConfidence) / BIN_COUNT;
        const counts = new Array(BIN_COUNT).fill(0);
        for (const { score } of this.#session.detections()) {
            const bin = Math.floor((score - askedConfidence) / binWidth);
            counts[Math.min(Math.max(bin, 0), BIN_COUNT - 1)] += 1;
        }
        const highest = Math.max(1, ...counts);
        this.#bars.forEach((bar, bin) => {
            // The square root keeps one sure detection visible beside dozens of weak ones.
            const height = counts[bin] === 0 ? 0 : 0.12 + 0.88 * Math.sqrt(counts[bin] / highest);
            bar.setAttribute("y", 1 - height);
            bar.setAttribute("height", height);
            bar.classList.toggle("is-below", askedConfidence + (bin + 0.5) * binWidth < confidence);
        });
    }
}

function makeBars(histogram) {
    histogram.setAttribute("viewBox", `0 0 ${BIN_COUNT} 1`);
    return Array.from({ length: BIN_COUNT }, (_, bin) => {
        const bar = document.createElementNS(SVG, "rect");
        bar.setAttribute("x", bin + 0.14);
        bar.setAttribute("width", 0.72);
        histogram.append(bar);
        return bar;
    });
}
