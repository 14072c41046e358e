// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

import Foundation
import Testing

@Suite("The Kubernetes manifests", .inTurn)
struct ManifestTests {
    @Test("Every file is part of a kustomization, and every name in one is a file")
    func references() throws {
        var used: Set<String> = []
        for path in try DeployFolder.files(ending: "kustomization.yaml") {
            used.insert(path)
            let folder = (path as NSString).deletingLastPathComponent
            let document = try #require(Document.all(of: DeployFolder.text(path)).first)
            let patches = (document["patches"]?.list ?? []).compactMap { $0["path"]?.text }
            let names = ["resources", "components"].flatMap { document[$0]?.texts ?? [] } + patches
            for name in names {
                let named = Manifests.path(name, from: folder)
                let file = name.hasSuffix(".yaml") ? named : "\(named)/kustomization.yaml"
                #expect(
                    FileManager.default.fileExists(atPath: DeployFolder.url.appendingPathComponent(file).path),
                    "\(file)"
                )
                used.insert(file)
            }
        }
        #expect(used == Set(try DeployFolder.files(ending: ".yaml", below: "kubernetes")))
    }

    @Test("Pods have no rights, and write where the image says and nowhere else")
    func hardened() throws {
        let image = try ImageRecipe()
        for manifests in try Manifests.rendered() {
            for pod in manifests.pods {
                let of: Comment = "\(manifests.place), \(pod.name)"
                let specification = pod.specification
                // Else a Service called nereid-… brings variables called NEREID_…, which are no settings.
                #expect(specification["enableServiceLinks"]?.text == "false", of)
                #expect(specification["automountServiceAccountToken"]?.text == "false", of)
                #expect(specification["securityContext", "runAsNonRoot"]?.text == "true", of)
                #expect(specification["securityContext", "seccompProfile", "type"]?.text == "RuntimeDefault", of)
                let container = try #require(specification["containers"]?.list.first)
                #expect(container["securityContext", "readOnlyRootFilesystem"]?.text == "true", of)
                #expect(container["securityContext", "allowPrivilegeEscalation"]?.text == "false", of)
                #expect(container["securityContext", "capabilities", "drop"]?.texts == ["ALL"], of)
                #expect(container["resources", "limits", "memory"] != nil, of)
                let volumes = Set((specification["volumes"]?.list ?? []).compactMap { $0["name"]?.text })
                let mounts = container["volumeMounts"]?.list ?? []
                guard container["image"]?.text == "nereid" else { continue }
                #expect(volumes.isSuperset(of: mounts.compactMap { $0["name"]?.text }), of)
                let places = Set(mounts.compactMap { $0["mountPath"]?.text })
                let written = try image.volumes + ["/tmp"]
                #expect(places.isSuperset(of: written), of)
                let user = specification["securityContext", "runAsUser"]?.text ?? ""
                let group = specification["securityContext", "runAsGroup"]?.text ?? ""
                #expect("\(user):\(group)" == image.user, of)
            }
        }
    }

    @Test("Probes ask what the program answers, on the port it listens on")
    func probes() throws {
        let image = try ImageRecipe()
        for manifests in try Manifests.rendered() {
            for pod in manifests.pods {
                for container in pod.specification["containers"]?.list ?? [] where container["image"]?.text == "nereid"
                {
                    let port = try #require(container["ports"]?.list.first)
                    #expect(port["containerPort"]?.text == image.ports.first)
                    let expected = ["readinessProbe": "/health/ready", "livenessProbe": "/health/live"]
                    for (probe, path) in expected {
                        #expect(container[probe, "httpGet", "path"]?.text == path, "\(pod.name)")
                        #expect(container[probe, "httpGet", "port"] == port["name"], "\(pod.name)")
                    }
                    let startup = try #require(container["startupProbe", "httpGet"])
                    #expect(expected.values.contains(startup["path"]?.text ?? ""), "\(pod.name)")
                    #expect(startup["port"] == port["name"], "\(pod.name)")
                }
            }
        }
    }

    @Test("What selects pods selects some")
    func selectors() throws {
        for manifests in try Manifests.rendered() {
            let labels = manifests.pods.compactMap { $0.labels?.map }
            for object in manifests.objects {
                let selector =
                    object["spec", "selector", "matchLabels"] ?? object["spec", "podSelector", "matchLabels"]
                    ?? (object["kind"]?.text == "Service" ? object["spec", "selector"] : nil)
                guard let wanted = selector?.map else { continue }
                let name = object["metadata", "name"]?.text ?? ""
                #expect(labels.contains { $0.merging(wanted) { $1 } == $0 }, "\(manifests.place), \(name)")
            }
        }
    }

    @Test("KEDA looks at the streams of the model that the workers serve, with the password that Redis has")
    func scaling() throws {
        let manifests = try Manifests(folder: "kubernetes/overlays/keda")
        func object(_ kind: String) throws -> Document {
            try #require(manifests.objects.first { $0["kind"]?.text == kind })
        }
        let scaled = try object("ScaledObject")
        let worker = try #require(manifests.pods.first { $0.name == scaled["spec", "scaleTargetRef", "name"]?.text })
        let container = try #require(worker.specification["containers"]?.list.first)
        let model = try #require(manifests.environment(of: container)["NEREID_MODELS"])
        let triggers = try #require(scaled["spec", "triggers"]).list
        let streams = triggers.compactMap { $0["metadata", "stream"]?.text }
        #expect(streams == ["nereid:jobs:\(model)", "nereid:bulk:\(model)"])
        for trigger in triggers {
            #expect(trigger["type"]?.text == "redis-streams")
            #expect(trigger["metadata", "consumerGroup"]?.text == "workers")
            #expect(trigger["metadata", "streamLength"]?.text.flatMap(Int.init).map { $0 > 0 } == true)
            #expect(trigger["authenticationRef", "name"] == (try object("TriggerAuthentication"))["metadata", "name"])
        }
        // A gateway without a worker is not ready and takes no jobs: from none there would be no way back.
        #expect(scaled["spec", "minReplicaCount"]?.text == "1")
        let secret = try #require(object("TriggerAuthentication")["spec", "secretTargetRef"]?.list.first)
        #expect(manifests.secrets[secret["key"]?.text ?? ""] != nil)
    }
}
