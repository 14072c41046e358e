// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

/// The objects that a kustomization makes; enough of kustomize for those in Deploy/kubernetes.
struct Manifests {
    let place: String
    let objects: [Document]
    let secrets: [String: String]

    static let kustomizations = ["base", "overlays/gpu", "overlays/keda"]

    /// Every kustomization, and each with the models of a volume.
    static func rendered() throws -> [Manifests] {
        try kustomizations.flatMap { folder in
            let plain = try Manifests(folder: "kubernetes/\(folder)")
            return [plain, try plain.merging(Manifests(folder: "kubernetes/components/models"))]
        }
    }

    init(folder: String) throws {
        let document = try #require(Document.all(of: DeployFolder.text("\(folder)/kustomization.yaml")).first)
        var whole = Manifests(place: folder, objects: [], secrets: [:])
        for name in document["resources"]?.texts ?? [] {
            let path = Self.path(name, from: folder)
            let more =
                name.hasSuffix(".yaml")
                ? Manifests(place: folder, objects: try Document.all(of: DeployFolder.text(path)), secrets: [:])
                : try Manifests(folder: path)
            whole = Manifests(
                place: folder,
                objects: whole.objects + more.objects,
                secrets: whole.secrets.merging(more.secrets) { $1 }
            )
        }
        let patches = try (document["patches"]?.list ?? []).compactMap { $0["path"]?.text }.flatMap { name in
            try Document.all(of: DeployFolder.text(Self.path(name, from: folder)))
        }
        let literals = (document["secretGenerator"]?.list ?? []).flatMap { $0["literals"]?.texts ?? [] }
        self = whole.merging(
            Manifests(place: folder, objects: patches, secrets: EnvironmentFile.parse(literals.joined(separator: "\n")))
        )
    }

    private init(place: String, objects: [Document], secrets: [String: String]) {
        (self.place, self.objects, self.secrets) = (place, objects, secrets)
    }

    static func path(_ name: String, from folder: String) -> String {
        URL(fileURLWithPath: "/\(folder)/\(name)").standardizedFileURL.path.trimmingPrefix("/").description
    }

    /// These with others; of the same kind and name they are patches.
    private func merging(_ others: Manifests) -> Manifests {
        let objects = others.objects.reduce(into: objects) { objects, other in
            let same = objects.firstIndex {
                $0["kind"] == other["kind"] && $0["metadata", "name"] == other["metadata", "name"]
            }
            if let same { objects[same] = objects[same].merging(other) } else { objects.append(other) }
        }
        return Manifests(
            place: "\(place), \(others.place)",
            objects: objects,
            secrets: secrets.merging(others.secrets) { $1 }
        )
    }

    /// The pods' specifications, each with its labels.
    var pods: [(name: String, labels: Document?, specification: Document)] {
        objects.compactMap { object in
            guard let specification = object["spec", "template", "spec"] else { return nil }
            return (
                object["metadata", "name"]?.text ?? "?", object["spec", "template", "metadata", "labels"], specification
            )
        }
    }

    /// The containers that run Nereid's image.
    func commands(_ image: ImageRecipe) throws -> [DeployedCommand] {
        try pods.flatMap { pod in
            try (pod.specification["containers"]?.list ?? []).filter { $0["image"]?.text == "nereid" }.map {
                container in
                DeployedCommand(
                    place: "\(place), \(pod.name)",
                    arguments: try image.nereid(container["args"]?.texts ?? []),
                    environment: image.environment.merging(try environment(of: container)) { $1 },
                    grace: pod.specification["terminationGracePeriodSeconds"]?.text.flatMap(Int.init).map {
                        .seconds($0)
                    }
                )
            }
        }
    }

    /// A container's environment, with secrets and `$(NAME)` put in.
    func environment(of container: Document) throws -> [String: String] {
        try (container["env"]?.list ?? []).reduce(into: [:]) { environment, variable in
            let name = try #require(variable["name"]?.text)
            let key = variable["valueFrom", "secretKeyRef", "key"]?.text
            let given = try #require(variable["value"]?.text ?? key.flatMap { secrets[$0] }, "\(name) has no value")
            environment[name] = expanded(given, environment)
        }
    }

    /// `$(NAME)` replaced by what was said before.
    func expanded(_ text: String, _ environment: [String: String]) -> String {
        text.replacing(/\$\((\w+)\)/) { environment[String($0.1)] ?? String($0.0) }
    }
}
