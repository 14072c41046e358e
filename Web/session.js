// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import { CONFIDENCE_FLOOR, findings } from "./api.js";
import { Picture } from "./picture.js";

const CONFIDENCE_WITHOUT_MODEL = 0.25;

/**
 * What the page knows: pictures, models, and how the person looks at them. Views listen to its events and draw;
 * nothing else holds state that outlives a gesture.
 *
 * Events: `pictures` (added or removed), `current` (another one is looked at), `models` (the list changed), `model`
 * (another one is asked), `outcome` (detail: the picture concerned), `filter` (confidence or classes), `highlight`.
 */
export class Session extends EventTarget {
    /** @type {Picture[]} */
    pictures = [];
    /** @type {Picture | null} */
    current = null;
    /** @type {object[]} */
    models = [];
    /** @type {string | null} */
    modelName = null;
    confidence = CONFIDENCE_WITHOUT_MODEL;
    /** @type {Set<string>} labels that the person switched off */
    hiddenLabels = new Set();
    /** @type {import("./api.js").Detection | null} under the pointer or the keyboard's focus */
    hovered = null;
    /** @type {import("./api.js").Detection | null} */
    selected = null;
    #confidenceWasChosen = false;

    /** The description of the model that is asked, as far as the server still lists it. */
    get model() {
        return this.models.find((model) => model.name === this.modelName) ?? null;
    }

    /** The confidence the model's owner meant it to run with; classes of a whole picture are all of interest. */
    get defaultConfidence() {
        if (this.model?.task === "classify") return CONFIDENCE_FLOOR;
        return this.model?.defaults?.confidence ?? CONFIDENCE_WITHOUT_MODEL;
    }

    /** What the server is asked for; the rest is filtered here. */
    get askedConfidence() {
        return Math.min(CONFIDENCE_FLOOR, this.defaultConfidence);
    }

    /** The current picture's outcome with the current model, or null without a picture. */
    get outcome() {
        return this.current?.outcome(this.modelName) ?? null;
    }

    /** The detection that stands out: the one pointed at, else the one selected. */
    get highlighted() {
        return this.hovered ?? this.selected;
    }

    /**
     * All detections of a picture by the current model, before any filter; best first.
     * @param {Picture | null} [picture]
     */
    detections(picture = this.current) {
        return findings(picture?.outcome(this.modelName).answer);
    }

    /**
     * The detections that pass the confidence and the class filter; best first.
     * @param {Picture | null} [picture]
     */
    shown(picture = this.current) {
        return this.passing(this.detections(picture));
    }

    /**
     * Of some detections those that pass the confidence and the class filter.
     * @param {import("./api.js").Detection[]} detections
     */
    passing(detections) {
        return detections.filter(({ score, label }) => score >= this.confidence && !this.hiddenLabels.has(label));
    }

    /** @param {Iterable<File>} files */
    add(files) {
        const added = Array.from(files, (file) => new Picture(file));
        if (added.length === 0) return;
        this.pictures.push(...added);
        this.#announce("pictures");
        this.show(added[0]);
    }

    /** @param {Picture} picture */
    remove(picture) {
        const index = this.pictures.indexOf(picture);
        if (index < 0) return;
        this.pictures.splice(index, 1);
        picture.discard();
        this.#announce("pictures");
        if (this.current === picture) this.show(this.pictures[Math.min(index, this.pictures.length - 1)] ?? null);
    }

    /** @param {Picture | null} picture */
    show(picture) {
        if (picture === this.current) return;
        this.current?.release();
        this.current = picture;
        this.#clearHighlight();
        this.#announce("current");
    }

    /** Looks at a picture further on (+1) or further back (-1), without wrapping around. */
    step(distance) {
        const next = this.pictures[this.pictures.indexOf(this.current) + distance];
        if (next) this.show(next);
    }

    /**
     * Puts a failed picture back in the line, together with all that failed only because the server was away.
     * @param {Picture} picture
     */
    retry(picture) {
        const hasPassed = (other) => other.outcome(this.modelName).problem?.isPassing ?? false;
        // A folder's picture is looked at without being one of the visit's.
        const all = new Set([...this.pictures, picture]);
        const failed = [...all].filter((other) => other.outcome(this.modelName).status === "failed");
        const again = failed.filter((other) => other === picture || (hasPassed(picture) && hasPassed(other)));
        for (const other of again) other.retry(this.modelName);
        for (const other of again) this.outcomeChanged(other);
    }

    /** Takes over a fresh list of models; picks one where none is chosen yet or where the choice cost nothing. */
    updateModels(models) {
        const changed = JSON.stringify(models) !== JSON.stringify(this.models);
        this.models = models;
        if (changed) this.#announce("models");
        if (this.model && (this.model.state !== "failed" || this.pictures.length > 0)) return;
        if (this.pictures.some((picture) => picture.outcome(this.modelName).answer)) return;
        const best = models.find(({ state }) => state === "ready") ?? models.find(({ state }) => state === "loading");
        if (best) this.chooseModel(best.name);
    }

    /** @param {string} name */
    chooseModel(name) {
        if (name === this.modelName) return;
        this.modelName = name;
        this.hiddenLabels.clear();
        this.#clearHighlight();
        if (!this.#confidenceWasChosen) this.confidence = this.defaultConfidence;
        this.#announce("model");
        this.#announce("filter");
    }

    /** @param {number} confidence */
    setConfidence(confidence) {
        this.#confidenceWasChosen = true;
        this.confidence = confidence;
        this.#filterChanged();
    }

    /** Goes back to the model's own confidence, and follows it when the model changes. */
    resetConfidence() {
        this.setConfidence(this.defaultConfidence);
        this.#confidenceWasChosen = false;
    }

    /**
     * @param {Iterable<string>} labels
     * @param {boolean} visible
     */
    setLabelsVisible(labels, visible) {
        for (const label of labels) {
            if (visible) this.hiddenLabels.delete(label);
            else this.hiddenLabels.add(label);
        }
        this.#filterChanged();
    }

    /** @param {import("./api.js").Detection | null} detection */
    hover(detection) {
        if (detection === this.hovered) return;
        this.hovered = detection;
        this.#announce("highlight");
    }

    /** @param {import("./api.js").Detection | null} detection */
    select(detection) {
        if (detection === this.selected) return;
        this.selected = detection;
        this.#announce("highlight");
    }

    /** @param {Picture} picture whose outcome has a new status */
    outcomeChanged(picture) {
        this.dispatchEvent(new CustomEvent("outcome", { detail: picture }));
    }

    /**
     * Calls back now and whenever one of the events happens.
     * @param {string[]} events
     * @param {(event?: CustomEvent) => void} callback
     */
    follow(events, callback) {
        for (const event of events) this.addEventListener(event, callback);
        callback();
    }

    #filterChanged() {
        const shown = this.shown();
        if (!shown.includes(this.hovered)) this.hovered = null;
        if (!shown.includes(this.selected)) this.selected = null;
        this.#announce("filter");
    }

    #clearHighlight() {
        this.hovered = null;
        this.selected = null;
    }

    #announce(event) {
        this.dispatchEvent(new CustomEvent(event));
    }
}
