// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// Walks a network's modules and writes what they compute into a graph.
///
/// What a module computes is looked up by its class's name among the ``ModuleFamily`` types. The tree of modules comes from
/// an untrusted file, in which a module can hold itself or the same module a million times, so depth and number are
/// bounded.
struct NetworkTranslator {
    var graph: GraphBuilder
    private var depth = 0
    private var visits = 0

    /// YOLOv9e, the deepest, nests nine.
    static let maximumDepth = 48
    /// YOLOv9e, among the largest, has 1,473.
    static let maximumVisits = 50_000

    init(graph: GraphBuilder) {
        self.graph = graph
    }

    /// Writes what a module with one input and one output computes.
    mutating func translate(_ module: Module, _ input: FeatureMap) throws -> FeatureMap {
        let outputs = try translate(module, several: [[input]])
        guard outputs.count == 1 else {
            throw ConversionError.inconsistent(
                path: module.path,
                reason: "it gives \(outputs.count) maps where one is taken"
            )
        }
        return outputs[0]
    }

    /// Writes what a module computes from what several layers gave; most layers give one map, a few give a list.
    mutating func translate(_ module: Module, several inputs: [[FeatureMap]]) throws -> [FeatureMap] {
        depth += 1
        visits += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else {
            throw ConversionError.nestedTooDeeply(path: module.path, limit: Self.maximumDepth)
        }
        guard visits <= Self.maximumVisits else { throw ConversionError.tooManyModules(limit: Self.maximumVisits) }
        switch Self.translations[module.className] {
        case .one(let translation):
            return [try translation(&self, module, Self.only(inputs, for: module))]
        case .list(let translation):
            return try translation(&self, module, Self.only(inputs, for: module))
        case .several(let translation):
            return [try translation(&self, module, inputs)]
        case nil:
            throw ConversionError.unsupportedModule(className: module.qualifiedName, path: module.path)
        }
    }

    private static func only(_ inputs: [[FeatureMap]], for module: Module) throws -> FeatureMap {
        let maps = inputs.flatMap(\.self)
        guard maps.count == 1 else {
            throw module.inconsistent("it takes one map and is given \(maps.count)")
        }
        return maps[0]
    }

    /// Writes modules one after another, each computing from what the one before gave.
    mutating func translate(sequence modules: [Module], _ input: FeatureMap) throws -> FeatureMap {
        var map = input
        for module in modules {
            map = try translate(module, map)
        }
        return map
    }

    /// What each class computes, by the class's name without its Python module; heads are not among them.
    static let translations = families.reduce(into: [String: ModuleTranslation]()) { all, family in
        all.merge(family.translations) { first, _ in first }
    }

    /// All classes that can be converted. A new family is a type in this folder and a place in this list.
    private static let families: [any ModuleFamily.Type] = [
        ConvolutionModules.self,
        ActivationModules.self,
        PoolingModules.self,
        ResamplingModules.self,
        JoiningModules.self,
        BottleneckModules.self,
        CrossStageModules.self,
        AggregationModules.self,
        GhostModules.self,
        AttentionModules.self,
    ]
}

/// Classes of modules that belong together.
protocol ModuleFamily: SendableMetatype {
    /// What each class computes, by the class's name without its Python module.
    static var translations: [String: ModuleTranslation] { get }
}

/// Writes what a module computes into the graph.
enum ModuleTranslation: Sendable {
    /// One map in, one map out.
    case one(@Sendable (inout NetworkTranslator, Module, FeatureMap) throws -> FeatureMap)
    /// One map in, a list of maps out.
    case list(@Sendable (inout NetworkTranslator, Module, FeatureMap) throws -> [FeatureMap])
    /// What several layers gave in, one map out.
    case several(@Sendable (inout NetworkTranslator, Module, [[FeatureMap]]) throws -> FeatureMap)
}
