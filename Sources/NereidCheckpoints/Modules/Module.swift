// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

/// A module of a network as it lies in a checkpoint: its class, its attributes, and the modules in it.
///
/// Nothing is walked until it is asked for, since the tree comes from an untrusted file and may contain itself.
///
/// Source: `torch.nn.Module`, whose attributes `_modules`, `_parameters` and `_buffers` hold what it is made of.
struct Module: Sendable {
    /// The name of the class in its Python module, such as `Conv`.
    let className: String
    /// The class with its Python module, such as `models.common.Conv`.
    let qualifiedName: String
    /// Where it is, as the framework names it, such as `model.9.cv1`.
    let path: String
    let value: CheckpointValue
    private let object: PickledObject
    private let modules: CheckpointValue

    /// - Throws: ``ConversionError/notAModule(path:found:)``.
    init(_ value: CheckpointValue, path: String) throws {
        guard let object = value.object else {
            throw ConversionError.notAModule(path: path, found: value.description)
        }
        guard let modules = object.attribute("_modules"), modules.entries != nil else {
            let found =
                object.isCall ? "the result of a call of \(object.makerDescription)" : value.description
            throw ConversionError.notAModule(path: path, found: found)
        }
        self.value = value
        self.object = object
        self.modules = modules
        self.path = path
        className = object.name
        qualifiedName = "\(object.module).\(object.name)"
    }

    // MARK: The modules in it

    /// The modules in it, in order; places that are empty are left out.
    var children: [Module] {
        get throws {
            try (modules.entries.map(Array.init) ?? []).compactMap { key, value in
                guard !value.isNone else { return nil }
                guard let name = key.text, name.utf8.count <= Self.longestName else {
                    throw inconsistent("it holds a module under the name \(key.description)")
                }
                return try Module(value, path: path(of: name))
            }
        }
    }

    /// The module with this name.
    func child(_ name: String) throws -> Module {
        guard let child = try optionalChild(name) else {
            throw inconsistent("it has no module ‘\(name)’, which a ‘\(className)’ needs")
        }
        return child
    }

    /// The module with this name; `nil` when there is none.
    func optionalChild(_ name: String) throws -> Module? {
        guard let value = modules[name], !value.isNone else { return nil }
        return try Module(value, path: path(of: name))
    }

    /// The module with this name, in place of the one that holds it.
    func unwrapped(_ name: String) throws -> Module {
        guard let value = modules[name] else { throw inconsistent("it has no module ‘\(name)’") }
        return try Module(value, path: path)
    }

    /// Whether there is a module with this name.
    func hasChild(_ name: String) -> Bool {
        modules[name].map { !$0.isNone } ?? false
    }

    private static let longestName = 128

    private func path(of name: String) -> String {
        path.isEmpty ? name : "\(path).\(name)"
    }

    // MARK: Its attributes

    /// An attribute, a parameter or a buffer; `nil` when there is none or it is `None`.
    func value(_ name: String) -> CheckpointValue? {
        let places = [
            object.attribute("_parameters")?[name], object.attribute("_buffers")?[name], object.attribute(name),
        ]
        return places.compactMap(\.self).first { !$0.isNone }
    }

    /// The error for a module that contradicts itself.
    func inconsistent(_ reason: String) -> ConversionError {
        .inconsistent(path: path, reason: reason)
    }
}
