// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import PackageDescription

let house: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// The files of the page; each stands in Web/PageFile.swift too, with its media type.
let page = [
    "index.html",
    "announcer.js",
    "api.js",
    "archive.js",
    "bar.css",
    "classes.js",
    "coco.js",
    "command.js",
    "confidence.js",
    "details.css",
    "dispatcher.js",
    "downloads.js",
    "drawing.js",
    "element.js",
    "export.js",
    "favicon.svg",
    "folder-asking.js",
    "folder-desk.js",
    "folder-downloads.js",
    "folder-list.js",
    "folder-memory.js",
    "folder-sending.js",
    "folder-showing.js",
    "folder-view.js",
    "folder-watching.js",
    "folder.css",
    "folder.js",
    "gathering.js",
    "gestures.js",
    "intake.js",
    "jobs.js",
    "keyboard.js",
    "labels.js",
    "main.js",
    "model-picker.js",
    "model-problems.js",
    "notice.js",
    "palette.js",
    "panel.css",
    "picture-view.js",
    "picture.js",
    "results.js",
    "samples.js",
    "session.js",
    "shapes.js",
    "stage.css",
    "strip.css",
    "strip.js",
    "style.css",
    "timings.js",
    "viewport.js",
    "welcome.css",
]

let package = Package(
    name: "nereid",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "nereid", targets: ["nereid"]),
        .library(name: "NereidCheckpoints", targets: ["NereidCheckpoints"]),
        .library(name: "NereidImaging", targets: ["NereidImaging"]),
        .library(name: "NereidInference", targets: ["NereidInference"]),
        .library(name: "NereidVision", targets: ["NereidVision"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/LebJe/TOMLKit", from: "0.6.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // The command: one file per subcommand.
        .executableTarget(
            name: "nereid",
            dependencies: [
                "NereidServer",
                "NereidJobs",
                "NereidModels",
                "NereidVision",
                "NereidInference",
                "NereidImaging",
                "NereidCheckpoints",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: house
        ),
        // The HTTP face: routes, uploads, formats out, the page, limits, metrics.
        .target(
            name: "NereidServer",
            dependencies: [
                "CZip",
                "CZlib",
                "NereidJobs",
                "NereidModels",
                "NereidVision",
                "NereidImaging",
                "NereidInference",
                "NereidPage",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP2", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "TOMLKit", package: "TOMLKit"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: house
        ),
        // The page, embedded into the binary.
        .target(
            name: "NereidPage",
            dependencies: ["CEmbedded"],
            path: "Web",
            exclude: ["samples"],
            sources: ["PageFile.swift"],
            resources: page.map { .embedInCode($0) },
            swiftSettings: house
        ),
        // Jobs and the bounded queue in front of each model, in this process or in Redis.
        .target(
            name: "NereidJobs",
            dependencies: [
                "CHiredis",
                "NereidModels",
                "NereidVision",
                "NereidImaging",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: house
        ),
        // Finds, configures, loads, swaps and unloads models.
        .target(
            name: "NereidModels",
            dependencies: [
                "CEmbedded",
                "NereidCheckpoints",
                "NereidVision",
                "NereidImaging",
                "NereidInference",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: house
        ),
        // Picture in, detections out: heads, non-maximum suppression, drawing.
        .target(
            name: "NereidVision",
            dependencies: ["NereidImaging", "NereidInference", .product(name: "Logging", package: "swift-log")],
            swiftSettings: house
        ),
        // Ground floor: pictures.
        .target(
            name: "NereidImaging",
            dependencies: [
                "CVips",
                "CTurboJPEG",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: house
        ),
        // Ground floor: engines, sessions, tensors.
        .target(
            name: "NereidInference",
            dependencies: [
                "CONNXRuntime",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: house
        ),
        // Ground floor: files that training frameworks saved.
        .target(
            name: "NereidCheckpoints",
            dependencies: [
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "Yams", package: "Yams"),
            ],
            // What the generated code is made from.
            exclude: ["ONNX/onnx.proto"],
            swiftSettings: house
        ),

        // Shims: declarations and the least glue that Swift cannot express.
        .target(name: "CVips", dependencies: ["CVipsLibrary"]),
        .systemLibrary(name: "CVipsLibrary", pkgConfig: "vips", providers: [.apt(["libvips-dev"]), .brew(["vips"])]),
        .systemLibrary(
            name: "CTurboJPEG",
            pkgConfig: "libturbojpeg",
            providers: [.apt(["libturbojpeg0-dev"]), .brew(["jpeg-turbo"])]
        ),
        .target(name: "CONNXRuntime"),
        .systemLibrary(
            name: "CHiredis",
            pkgConfig: "hiredis",
            providers: [.apt(["libhiredis-dev"]), .brew(["hiredis"])]
        ),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        .systemLibrary(name: "CZip", pkgConfig: "libzip", providers: [.apt(["libzip-dev"]), .brew(["libzip"])]),
        // The bundled model and the samples of the page, embedded into the binary.
        .target(name: "CEmbedded"),

        // What the tests of several rooms need.
        .target(name: "TestSupport", path: "Tests/Support", swiftSettings: house),
        .testTarget(
            name: "NereidCheckpointsTests",
            dependencies: [
                "TestSupport", "NereidCheckpoints", .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: house
        ),
        .testTarget(
            name: "NereidImagingTests",
            dependencies: ["TestSupport", "NereidImaging", .product(name: "NIOCore", package: "swift-nio")],
            swiftSettings: house
        ),
        .testTarget(
            name: "NereidInferenceTests",
            dependencies: ["NereidInference"],
            swiftSettings: house
        ),
        .testTarget(
            name: "NereidVisionTests",
            dependencies: [
                "TestSupport",
                "NereidVision", "NereidImaging", "NereidInference", "NereidCheckpoints",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: house
        ),
        .testTarget(
            name: "NereidModelsTests",
            dependencies: [
                "TestSupport",
                "NereidModels", "NereidVision", "NereidImaging", "NereidInference", "NereidCheckpoints",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: house
        ),
        .testTarget(
            name: "NereidJobsTests",
            dependencies: [
                "TestSupport", "CHiredis",
                "NereidJobs", "NereidModels", "NereidVision", "NereidImaging", "NereidInference",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: house
        ),
        .testTarget(
            name: "NereidServerTests",
            dependencies: [
                "CZip",
                "CZlib",
                "TestSupport",
                "NereidServer", "NereidPage", "NereidJobs", "NereidModels", "NereidVision", "NereidImaging",
                "NereidInference",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHPACK", package: "swift-nio-http2"),
                .product(name: "NIOHTTP2", package: "swift-nio-http2"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOHTTPTypesHTTP2", package: "swift-nio-extras"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: house
        ),
        // The real server as a process: real sockets, a real browser, real clients.
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "TestSupport", "nereid", "NereidServer", "NereidImaging",
                .product(name: "Yams", package: "Yams"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: house
        ),
    ],
    swiftLanguageModes: [.v6]
)
