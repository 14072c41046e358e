// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CEmbedded

/// A file of the page, carried within the binary, so that an installed server needs nothing beside it.
public struct PageFile: Sendable {
    /// Its name below `/web/`.
    public let name: String
    /// What it is.
    public let mediaType: String
    /// Its content.
    public let bytes: [UInt8]

    private init(_ name: String, _ mediaType: String, _ bytes: [UInt8]) {
        self.name = name
        self.mediaType = mediaType
        self.bytes = bytes
    }

    private static func sample(_ name: String, _ file: NereidEmbedded) -> PageFile {
        PageFile(
            "samples/\(name)",
            "image/jpeg",
            [UInt8](UnsafeBufferPointer(start: file.bytes, count: file.count))
        )
    }

    private static func script(_ name: String, _ bytes: [UInt8]) -> PageFile {
        PageFile(name, "text/javascript; charset=utf-8", bytes)
    }

    private static func style(_ name: String, _ bytes: [UInt8]) -> PageFile {
        PageFile(name, "text/css; charset=utf-8", bytes)
    }

    /// What `/` answers.
    public static let index = PageFile("index.html", "text/html; charset=utf-8", PackageResources.index_html)

    /// What it loads.
    public static let assets: [PageFile] = [
        .script("announcer.js", PackageResources.announcer_js),
        .script("api.js", PackageResources.api_js),
        .script("archive.js", PackageResources.archive_js),
        .style("bar.css", PackageResources.bar_css),
        .script("classes.js", PackageResources.classes_js),
        .script("coco.js", PackageResources.coco_js),
        .script("command.js", PackageResources.command_js),
        .script("confidence.js", PackageResources.confidence_js),
        .style("details.css", PackageResources.details_css),
        .script("dispatcher.js", PackageResources.dispatcher_js),
        .script("downloads.js", PackageResources.downloads_js),
        .script("drawing.js", PackageResources.drawing_js),
        .script("element.js", PackageResources.element_js),
        .script("export.js", PackageResources.export_js),
        PageFile("favicon.svg", "image/svg+xml", PackageResources.favicon_svg),
        .script("folder-asking.js", PackageResources.folder_asking_js),
        .script("folder-desk.js", PackageResources.folder_desk_js),
        .script("folder-downloads.js", PackageResources.folder_downloads_js),
        .script("folder-list.js", PackageResources.folder_list_js),
        .script("folder-memory.js", PackageResources.folder_memory_js),
        .script("folder-sending.js", PackageResources.folder_sending_js),
        .script("folder-showing.js", PackageResources.folder_showing_js),
        .script("folder-view.js", PackageResources.folder_view_js),
        .script("folder-watching.js", PackageResources.folder_watching_js),
        .style("folder.css", PackageResources.folder_css),
        .script("folder.js", PackageResources.folder_js),
        .script("gathering.js", PackageResources.gathering_js),
        .script("gestures.js", PackageResources.gestures_js),
        .script("intake.js", PackageResources.intake_js),
        .script("jobs.js", PackageResources.jobs_js),
        .script("keyboard.js", PackageResources.keyboard_js),
        .script("labels.js", PackageResources.labels_js),
        .script("main.js", PackageResources.main_js),
        .script("model-picker.js", PackageResources.model_picker_js),
        .script("model-problems.js", PackageResources.model_problems_js),
        .script("notice.js", PackageResources.notice_js),
        .script("palette.js", PackageResources.palette_js),
        .style("panel.css", PackageResources.panel_css),
        .script("picture-view.js", PackageResources.picture_view_js),
        .script("picture.js", PackageResources.picture_js),
        .script("results.js", PackageResources.results_js),
        .script("samples.js", PackageResources.samples_js),
        .script("session.js", PackageResources.session_js),
        .script("shapes.js", PackageResources.shapes_js),
        .style("stage.css", PackageResources.stage_css),
        .style("strip.css", PackageResources.strip_css),
        .script("strip.js", PackageResources.strip_js),
        .style("style.css", PackageResources.style_css),
        .script("timings.js", PackageResources.timings_js),
        .script("viewport.js", PackageResources.viewport_js),
        .style("welcome.css", PackageResources.welcome_css),
        .sample("reef.jpg", nereid_embedded_sample_reef()),
        .sample("jellyfish.jpg", nereid_embedded_sample_jellyfish()),
        .sample("birds.jpg", nereid_embedded_sample_birds()),
        .sample("sharks.jpg", nereid_embedded_sample_sharks()),
    ]
}
