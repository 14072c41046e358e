// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Ultralytics' `Detect` and what is built on it: at each cell of each level the distances to a box's four sides, classes, and
/// by task mask coefficients, keypoints or an angle.
///
/// Source: `ultralytics/nn/modules/head.py`, packages 8.0 to 8.4.
struct AnchorFreeHead: NetworkHead {
    /// What a head gives beside boxes and classes.
    enum Extra {
        case none
        /// Coefficients of masks and the module that makes the prototypes.
        case masks(count: Int, prototypes: Module)
        /// Keypoints of `dimensions` numbers: x, y and perhaps visibility.
        case keypoints(count: Int, dimensions: Int)
        case angle
    }

    /// How one level's extra channels are made and what they mean.
    struct Branch {
        /// The modules whose last is a convolution of 1×1.
        let modules: [Module]
        let last: Convolution
    }

    let path: String
    let strides: [Int]
    let classCount: Int
    /// The bins of each distance's distribution; 1 when distances are given as they are.
    let binCount: Int
    let extra: Extra
    /// Whether there is one answer to each object.
    let isOneToOne: Bool
    /// For each level.
    let boxBranches: [Branch]
    let classBranches: [Branch]
    let extraBranches: [Branch]
    /// What the last extra convolution gives as it is: radians, and offsets from the cell's centre.
    private let isPlain: Bool

    init(reading module: Module, model: Module, options: ConversionOptions) throws {
        path = module.path
        isPlain = module.className.hasSuffix("26")
        isOneToOne = try Self.choosesOneToOne(module, options.head)
        let prefix = isOneToOne ? "one2one_" : ""

        boxBranches = try Self.branches(of: module, [prefix + "cv2"])
        classBranches = try Self.branches(of: module, [prefix + "cv3"])
        guard HeadLimits.levels.contains(boxBranches.count), classBranches.count == boxBranches.count else {
            throw module.inconsistent(
                "it has \(boxBranches.count) levels of boxes and \(classBranches.count) of classes"
            )
        }
        try module.confirm("nl", is: boxBranches.count)
        strides = try module.strides(count: boxBranches.count, model: model)
        classCount = try module.positive("nc")
        binCount = try module.positive("reg_max")
        try Self.check(boxBranches, give: 4 * binCount, "4 distances of \(binCount) bins")
        try Self.check(classBranches, give: classCount, "\(classCount) classes")

        extra = try Self.extra(of: module)
        switch extra {
        case .none:
            extraBranches = []
        case .masks(let count, _):
            extraBranches = try Self.branches(of: module, [prefix + "cv4"])
            try Self.check(extraBranches, give: count, "\(count) mask coefficients")
        case .keypoints(let count, let dimensions):
            let names = isPlain ? [prefix + "cv4", prefix + "cv4_kpts"] : [prefix + "cv4"]
            let scaling = Self.keypointScaling(count: count, dimensions: dimensions, isPlain: isPlain)
            let branches = try Self.branches(of: module, names)
            try Self.check(branches, give: count * dimensions, "\(count) keypoints of \(dimensions) numbers")
            extraBranches = branches.map { Branch(modules: $0.modules, last: $0.last.followed(by: scaling)) }
        case .angle:
            extraBranches = try Self.branches(of: module, [prefix + "cv4"])
            try Self.check(extraBranches, give: 1, "an angle")
        }
        guard extraBranches.isEmpty || extraBranches.count == boxBranches.count else {
            throw module.inconsistent("it has \(boxBranches.count) levels of boxes and \(extraBranches.count) others")
        }
    }

    // MARK: Reading

    private static func choosesOneToOne(_ module: Module, _ choice: HeadChoice) throws -> Bool {
        let hasOneToOne = module.hasChild("one2one_cv2") && module.hasChild("one2one_cv3")
        let hasOneToMany = module.hasChild("cv2") && module.hasChild("cv3")
        let isWanted =
            switch choice {
            case .automatic: hasOneToOne && (module.className == "v10Detect" || !hasOneToMany)
            case .oneToMany: false
            case .oneToOne: true
            }
        guard isWanted ? hasOneToOne : hasOneToMany else {
            throw ConversionError.headUnavailable(isWanted ? .oneToOne : .oneToMany, path: module.path)
        }
        return isWanted
    }

    private static func extra(of module: Module) throws -> Extra {
        switch module.className {
        case "Segment", "Segment26":
            return .masks(count: try module.positive("nm"), prototypes: try module.child("proto"))
        case "Pose", "Pose26":
            let shape = try module.integers("kpt_shape")
            guard shape.count == 2, (1...1024).contains(shape[0]), (2...3).contains(shape[1]) else {
                throw module.inconsistent("its keypoints have the shape \(shape)")
            }
            return .keypoints(count: shape[0], dimensions: shape[1])
        case "OBB", "OBB26":
            try module.confirm("ne", is: 1)
            return .angle
        default:
            return .none
        }
    }

    /// The branches of all levels; each may be in several lists of modules, one after another.
    private static func branches(of module: Module, _ names: [String]) throws -> [Branch] {
        let lists = try names.map { try module.child($0).children }
        guard lists.allSatisfy({ $0.count == lists[0].count }) else {
            throw module.inconsistent("its lists \(names.joined(separator: " and ")) are not of one length")
        }
        return try lists[0].indices.map { level in
            var modules = lists.map { $0[level] }
            while let sequence = modules.last, sequence.className == "Sequential" {
                modules = try modules.dropLast() + sequence.children
                guard modules.count <= 64 else { throw module.inconsistent("a branch has more than 64 modules") }
            }
            guard let last = modules.last else { throw module.inconsistent("a branch has no modules") }
            return Branch(modules: modules, last: try Convolution(of: last))
        }
    }

    private static func check(_ branches: [Branch], give channels: Int, _ meaning: String) throws {
        for branch in branches where branch.last.outputs != channels {
            throw ConversionError.inconsistent(
                path: branch.modules[branch.modules.count - 1].path,
                reason: "it gives \(branch.last.outputs) channels, not \(channels) for \(meaning)"
            )
        }
    }

    /// Makes x and y offsets from the cell's centre: `Pose` gives `(2x + column) · stride`, `Pose26`
    /// `(x + column + 0.5) · stride`.
    private static func keypointScaling(count: Int, dimensions: Int, isPlain: Bool) -> ChannelScaling {
        var scaling = ChannelScaling(factors: [], shifts: [])
        for channel in 0..<count * dimensions {
            let isCoordinate = channel % dimensions < 2
            scaling.factors.append(isCoordinate && !isPlain ? 2 : 1)
            scaling.shifts.append(isCoordinate && !isPlain ? -0.5 : 0)
        }
        return scaling
    }

    // MARK: Writing

    func write(
        to network: inout NetworkTranslator,
        from maps: [FeatureMap],
        ending: GraphEnding
    ) throws -> HeadReading {
        guard maps.count == strides.count else {
            throw ConversionError.inconsistent(
                path: path,
                reason: "it has \(strides.count) levels and is given \(maps.count) maps"
            )
        }
        var levels: [Level] = []
        for (index, map) in maps.enumerated() {
            let boxes = try write(boxBranches[index], from: map, to: &network)
            let classes = try write(classBranches[index], from: map, to: &network)
            var level = Level(stride: strides[index], boxes: boxes, classes: classes)
            if !extraBranches.isEmpty {
                level.extra = try write(extraBranches[index], from: map, to: &network)
                if case .angle = extra, !isPlain {
                    level.extra = angle(level.extra, in: &network.graph)
                }
            }
            levels.append(level)
        }
        switch ending {
        case .maps: writeMaps(levels, to: &network.graph)
        case .decoded: decode(levels, in: &network.graph)
        }
        if case .masks(let count, let prototypes) = extra {
            let map = try network.prototypes(prototypes, from: maps, strides: strides)
            guard map.channels == count else {
                throw ConversionError.inconsistent(
                    path: prototypes.path,
                    reason: "it gives \(map.channels) prototypes for \(count) coefficients"
                )
            }
            let name = ending == .maps ? "prototypes" : "output1"
            network.graph.output(map, named: name, height: "prototype rows", width: "prototype columns")
        }
        return reading(ending: ending)
    }

    private func write(
        _ branch: Branch,
        from map: FeatureMap,
        to network: inout NetworkTranslator
    ) throws -> FeatureMap {
        let features = try network.translate(sequence: branch.modules.dropLast(), map)
        return try network.graph.convolution(features, branch.last, at: branch.modules[branch.modules.count - 1].path)
    }

    /// `(σ(t) − 0.25) · π`: from a quarter turn back to three quarters on, in radians.
    private func angle(_ map: FeatureMap?, in graph: inout GraphBuilder) -> FeatureMap? {
        map.map { map in
            let share = graph.sigmoid(map.value, at: path)
            let shifted = graph.difference(share, graph.real(0.25), at: path)
            let value = graph.product(shifted, graph.real(Float.pi), at: path)
            return FeatureMap(value: value, channels: map.channels)
        }
    }

    private func writeMaps(_ levels: [Level], to graph: inout GraphBuilder) {
        for (index, level) in levels.enumerated() {
            graph.output(level.boxes, named: "boxes\(index)", stride: level.stride)
            graph.output(level.classes, named: "classes\(index)", stride: level.stride)
            guard let map = level.extra else { continue }
            let name =
                switch extra {
                case .masks: "masks"
                case .keypoints: "keypoints"
                case .angle, .none: "angles"
                }
            graph.output(map, named: "\(name)\(index)", stride: level.stride)
        }
    }

    private func reading(ending: GraphEnding) -> HeadReading {
        let task: NetworkTask =
            switch extra {
            case .none: .detect
            case .masks: .segment
            case .keypoints: .pose
            case .angle: .obb
            }
        var reading = HeadReading(
            task: task,
            layout: ending == .maps ? .distanceMaps : .decoded,
            classCount: classCount,
            strides: strides,
            needsSuppression: !isOneToOne
        )
        reading.metadata.append((GraphMetadata.bins, String(binCount)))
        switch extra {
        case .masks(let count, _): reading.metadata.append((GraphMetadata.masks, String(count)))
        case .keypoints(let count, let dimensions):
            reading.metadata.append((GraphMetadata.keypoints, "[\(count), \(dimensions)]"))
        case .none, .angle: break
        }
        return reading
    }
}

extension AnchorFreeHead {
    /// What the branches give on one level.
    struct Level {
        let stride: Int
        let boxes: FeatureMap
        let classes: FeatureMap
        var extra: FeatureMap?
    }
}
