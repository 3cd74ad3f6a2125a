import FlapCore
import FlapTestKit
import Foundation
import Host
import Testing

/// Workers that keep to a memory node, as real processes; where the kernel tells of a node.
@Suite(.serialized, .enabled(if: !Host.memoryNodes().isEmpty))
struct MemoryNodeProcessTests {
  @Test("all threads of a worker keep to the node's CPUs, and the bytes are the same")
  func binding() throws {
    let folder = try TemporaryFolder()
    let free = try Programs.coordinator(run(folder.path("free")) + ["--numa", "off"])
    #expect(free.exitCode == 0, "\(free.standardError)")
    let node = try #require(Host.memoryNodes().first)
    var lists: Set<String> = []
    var threads = 0
    var arguments = ""
    let bound = try Programs.coordinator(run(folder.path("bound")) + ["--numa", "on"]) { process in
      // Until it computes.
      for _ in 0..<1000 where threads < 4 {
        usleep(5000)
        guard let worker = Programs.children(of: process.processIdentifier).first else { continue }
        let tasks =
          (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(worker)/task")) ?? []
        let line = try? String(contentsOfFile: "/proc/\(worker)/cmdline", encoding: .utf8)
        arguments = (line ?? "").replacing("\0", with: " ")
        threads = tasks.count
        lists = Set(tasks.compactMap { allowedCPUs("/proc/\(worker)/task/\($0)/status") })
      }
    }
    #expect(bound.exitCode == 0, "\(bound.standardError)")
    #expect(arguments.contains("--memory-node \(node.number) "))
    #expect(threads >= 4)
    #expect(lists == [node.cpus.description])
    #expect(
      try Programs.digests(below: folder.path("bound"))
        == Programs.digests(below: folder.path("free")))
  }

  @Test("--dry-run names the nodes, their CPUs and memory, and the workers there")
  func dryRun() throws {
    let folder = try TemporaryFolder()
    let first = try #require(Host.memoryNodes().first)
    let on = try Programs.coordinator(run(folder.path("out")) + ["--numa", "on", "--dry-run"])
    #expect(on.standardOutput.contains("on memory node \(first.number) (CPUs "))
    let off = try Programs.coordinator(run(folder.path("out")) + ["--numa", "off", "--dry-run"])
    #expect(!off.standardOutput.contains("memory node"))
    let json = try Programs.coordinator(
      run(folder.path("out")) + ["--numa", "on", "--dry-run", "--json"])
    let node = try #require((json.json["memory_nodes"] as? [[String: Any]])?.first)
    #expect(node["number"] as? Int == first.number && node["cpus"] is String)
    #expect((node["memory_bytes"] as? Int ?? 0) > 0)
  }

  @Test("a node that is not there: one line that names those that are")
  func missing() throws {
    let process = Process()
    process.executableURL = Programs.folder.appending(path: "flap-worker")
    process.arguments = [
      "--model", Programs.model, "--connect", "tcp://127.0.0.1:9", "--memory-node", "77",
    ]
    let error = Pipe()
    process.standardError = error
    try process.run()
    let data = error.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let text = String(decoding: data, as: UTF8.self)
    #expect(process.terminationStatus != 0)
    #expect(text.contains("--memory-node 77: no such node") && text.contains("(CPUs "))
    #expect(text.split(separator: "\n").count == 1)
  }

  @Test("a host that tells of two nodes has a worker on each, with its share of the threads")
  func overSSH() throws {
    let folder = try TemporaryFolder()
    let node = try #require(Host.memoryNodes().first)
    // It runs what it is told here, and tells of a second node, which is the first.
    let second = node.number + 1
    let client = """
      #!/bin/sh
      for word; do :; done
      printf '%s\\n' "$word" >> '\(folder.path("commands"))'
      case "$word" in
      *--preflight*)
        sh -c "$word" | sed 's/"memoryNodes":\\[\\({[^}]*}\\)[^]]*\\]/"memoryNodes":[\\1,\\1]/' |
          sed 's/\\(.*\\)"number":\(node.number)/\\1"number":\(second)/' ;;
      *) exec sh -c "$(printf '%s' "$word" | sed 's/--memory-node \(second)/--memory-node \(node.number)/')" ;;
      esac

      """
    let ssh = try folder.write(Array(client.utf8), to: "ssh")
    #expect(chmod(ssh, 0o700) == 0)
    let hosts = try folder.write(Array("127.0.0.1 numa=on threads=6\n".utf8), to: "hosts")
    let process = Process()
    process.executableURL = Programs.folder.appending(path: "flap-coord")
    process.arguments = [
      "calibrate", "--model", Programs.model, "--calibration", Programs.calibration, "--samples",
      "16", "--workers", hosts, "--no-ship", "--listen", "127.0.0.1", "--output",
      folder.path("statistics"),
    ]
    process.environment = ProcessInfo.processInfo.environment.merging(
      ["PATH": "\(folder.path):/usr/bin:/bin"]) { $1 }
    let outcome = try Programs.outcome(of: process)
    #expect(outcome.exitCode == 0, "\(outcome.standardError)")
    let commands = try String(contentsOfFile: folder.path("commands"), encoding: .utf8)
      .split(separator: "\n").filter { !$0.contains("--preflight") }
    #expect(commands.count == 2, "\(commands) \(outcome.standardError)")
    for number in [node.number, second] {
      #expect(
        commands.contains { $0.contains("--threads 3 --memory-node \(number)") }, "\(commands)")
    }
  }

  private func run(_ output: String) -> [String] {
    [
      "--model", Programs.model, "--calibration", Programs.calibration, "--ratio", "0.2",
      "--output", output, "--local-workers", "1", "--threads", "2",
    ]
  }

  private func allowedCPUs(_ path: String) -> String? {
    let text = try? String(contentsOfFile: path, encoding: .utf8)
    return text?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
      .map { $0.dropFirst("Cpus_allowed_list:".count).trimmingCharacters(in: .whitespaces) }
  }
}
