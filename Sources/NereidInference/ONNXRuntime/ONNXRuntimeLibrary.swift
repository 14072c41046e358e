// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import CONNXRuntime
import Foundation

/// An opened ONNX Runtime: its table of functions and the environment that its sessions share.
final class ONNXRuntimeLibrary: @unchecked Sendable {
    /// The lowest version of the table that has every function in use; it came with ONNX Runtime 1.17.
    static let requiredTable: UInt32 = 17

    /// The file that was opened.
    let path: String
    /// The library's own version, such as `1.32.0`.
    let version: String
    // `@unchecked Sendable` holds because both pointers are set once, the table is constant, and ONNX Runtime documents
    // its environment as safe to use from any thread.
    /// The functions.
    let api: UnsafePointer<OrtApi>
    /// The library's environment; owned.
    let environment: OpaquePointer

    /// Opens a library. It stays open until the process ends: threads of it may run its code until then.
    ///
    /// - Parameters:
    ///   - path: The library.
    ///   - requiredTable: The lowest version of the table to accept.
    /// - Throws: ``InferenceError/libraryUnusable(path:reason:)``,
    ///   ``InferenceError/libraryTooOld(path:version:required:)``.
    init(path: String, requiredTable: UInt32 = ONNXRuntimeLibrary.requiredTable) throws(InferenceError) {
        guard let handle = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
            throw .libraryUnusable(path: path, reason: dlerror().map { String(cString: $0) } ?? "it cannot be opened")
        }
        guard let symbol = dlsym(handle, "OrtGetApiBase"),
            let base = unsafeBitCast(symbol, to: OrtGetApiBaseFunction.self)()
        else {
            dlclose(handle)
            throw .libraryUnusable(path: path, reason: "it does not offer OrtGetApiBase")
        }
        let version = base.pointee.GetVersionString().map { String(cString: $0) } ?? "of unknown version"
        guard let api = base.pointee.GetApi(requiredTable) else {
            dlclose(handle)
            throw .libraryTooOld(path: path, version: version, required: "1.\(requiredTable)")
        }
        // Severity 4 keeps all but fatal notes off the standard error stream: every failure is thrown, with its text.
        var environment: OpaquePointer?
        do {
            try Self.check(api.pointee.CreateEnv(4, "nereid", &environment), api)
        } catch {
            throw .libraryUnusable(path: path, reason: error.description)
        }
        self.path = path
        self.version = version
        self.api = api
        self.environment = environment!
    }

    deinit { api.pointee.ReleaseEnv(environment) }

    /// Turns what a function of the table answered into an error, unless all is well.
    func check(_ answer: OpaquePointer?) throws(ONNXRuntimeFailure) {
        try Self.check(answer, api)
    }

    private static func check(_ answer: OpaquePointer?, _ api: UnsafePointer<OrtApi>) throws(ONNXRuntimeFailure) {
        guard let answer else { return }
        defer { api.pointee.ReleaseStatus(answer) }
        throw ONNXRuntimeFailure(
            code: api.pointee.GetErrorCode(answer),
            description: api.pointee.GetErrorMessage(answer).map { String(cString: $0) } ?? "no reason given"
        )
    }

    /// Calls a function that creates an object, and owns the object.
    func make(
        _ release: KeyPath<OrtApi, ONNXRuntimeObject.Release>,
        _ create: (UnsafePointer<OrtApi>, inout OpaquePointer?) -> OpaquePointer?
    ) throws(ONNXRuntimeFailure) -> ONNXRuntimeObject {
        var pointer: OpaquePointer?
        try check(create(api, &pointer))
        return ONNXRuntimeObject(pointer!, release: api.pointee[keyPath: release], parent: self)
    }

    /// The memory manager behind the strings that the library hands out.
    func defaultAllocator() throws(ONNXRuntimeFailure) -> OpaquePointer {
        var allocator: OpaquePointer?
        try check(api.pointee.GetAllocatorWithDefaultOptions(&allocator))
        return allocator!
    }

    /// Names of the execution providers that were built into the library, best first.
    func providers() throws(ONNXRuntimeFailure) -> [String] {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        var count: Int32 = 0
        try check(api.pointee.GetAvailableProviders(&names, &count))
        defer { _ = api.pointee.ReleaseAvailableProviders(names, count) }
        return UnsafeBufferPointer(start: names, count: Int(count)).compactMap { $0.map { String(cString: $0) } }
    }
}

/// What a function of ONNX Runtime answers when it fails.
struct ONNXRuntimeFailure: Error, CustomStringConvertible {
    /// ONNX Runtime's number for the kind of failure.
    let code: Int32
    /// ONNX Runtime's own words.
    let description: String
}

/// Owner of one object of ONNX Runtime.
final class ONNXRuntimeObject {
    typealias Release = @convention(c) (OpaquePointer?) -> Void

    private let pointer: OpaquePointer
    private let release: Release
    // Sessions must not outlive their environment, nor answers their session's memory.
    private let parent: AnyObject

    init(_ pointer: OpaquePointer, release: @escaping Release, parent: AnyObject) {
        self.pointer = pointer
        self.release = release
        self.parent = parent
    }

    deinit { release(pointer) }

    /// Lends the object for the duration of a call.
    func callAsFunction<R, Failure: Error>(_ body: (OpaquePointer) throws(Failure) -> R) throws(Failure) -> R {
        defer { withExtendedLifetime(self) {} }
        return try body(pointer)
    }
}
