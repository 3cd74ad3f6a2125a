import FlapCore
import FlapTestKit
import Foundation
import Host
import SystemPackage
import Testing

struct MemoryNodeTests {
  @Test(
    "lists of CPUs, read and written",
    arguments: [
      ("0", [0], "0"), ("0-3,8", [0, 1, 2, 3, 8], "0-3,8"), ("8,0-1\n", nil, ""), ("", [], ""),
      ("3,1,2", [1, 2, 3], "1-3"), ("3-1", nil, ""), ("0-", nil, ""), ("-1", nil, ""),
      ("1,,2", nil, ""), ("8191", [8191], "8191"), ("8192", nil, ""), ("0-99999999999", nil, ""),
      ("+1", nil, ""), ("0x1", nil, ""), ("١", nil, ""),
    ] as [(String, [Int]?, String)])
  func lists(text: String, numbers: [Int]?, written: String) {
    let list = CPUList(text)
    #expect(list?.numbers == numbers)
    if let list { #expect(list.description == written) }
  }

  @Test("whatever the text, a list or nil; a list is read as it is written")
  func fuzz() {
    var generator = SeededGenerator(seed: 1)
    let pieces = ["0", "1", "7", "63", "8191", "99999", "-", ",", ",", " ", "\n", "a", "é", "-"]
    var taken = 0
    let allowed = CPUList(0..<64)
    for _ in 0..<FuzzCount.perTest {
      let text = (0..<Int.random(in: 0...9, using: &generator))
        .map { _ in pieces.randomElement(using: &generator)! }.joined()
      let node = MemoryNode(
        number: 0, cpuList: text, memory: "\(text) kB", allowed: allowed)
      #expect(node.map { $0.memoryBytes > 0 } != false)
      guard let list = CPUList(text) else { continue }
      taken += 1
      #expect(CPUList(list.description) == list)
    }
    #expect(taken > 0)
  }

  /// A machine of two sockets, and what the kernel tells of it.
  private func machine(_ nodes: [Int: (cpus: String, kilobytes: String)]) throws -> TemporaryFolder
  {
    let folder = try TemporaryFolder()
    let online = nodes.keys.sorted().map(String.init).joined(separator: ",")
    _ = try folder.write(Array("\(online)\n".utf8), to: "online")
    for (number, node) in nodes {
      try FileManager.default.createDirectory(
        atPath: folder.path("node\(number)"), withIntermediateDirectories: false)
      _ = try folder.write(Array("\(node.cpus)\n".utf8), to: "node\(number)/cpulist")
      let memory = """
        Node \(number) MemTotal:       \(node.kilobytes) kB
        Node \(number) MemFree:        12 kB

        """
      _ = try folder.write(Array(memory.utf8), to: "node\(number)/meminfo")
    }
    return folder
  }

  @Test("nodes with CPUs and memory for this process, and no others")
  func nodes() throws {
    let folder = try machine([
      0: ("0-3,8-11", "1024"), 1: ("4-7,12-15", "2048"), 2: ("", "4096"), 3: ("16-19", "0"),
      4: ("20-23", "512"),
    ])
    func found(_ allowed: CPUList, _ nodes: CPUList? = nil) -> [String] {
      Host.memoryNodes(in: FilePath(folder.path), allowed: allowed, allowedNodes: nodes)
        .map { "\($0.number): \($0.cpus), \($0.memoryBytes >> 10)" }
    }
    let all = CPUList(0..<24)
    #expect(found(all) == ["0: 0-3,8-11, 1024", "1: 4-7,12-15, 2048", "4: 20-23, 512"])
    #expect(found(CPUList([2, 3, 4])) == ["0: 2-3, 1024", "1: 4, 2048"])
    #expect(found(all, CPUList([1, 3])) == ["1: 4-7,12-15, 2048"])
    #expect(Host.memoryNodes(in: "/nonexistent", allowed: all).isEmpty)
  }

  @Test("workers suit several nodes that have the CPUs and the memory")
  func suiting() {
    func node(_ number: Int, cpus: Int, bytes: Int) -> MemoryNode {
      MemoryNode(number: number, cpus: CPUList(0..<cpus), memoryBytes: bytes)
    }
    let two = [node(0, cpus: 8, bytes: 100), node(1, cpus: 4, bytes: 50)]
    #expect(MemoryNode.suitWorkers(two, cores: 4, bytes: 50))
    #expect(MemoryNode.suitWorkers(two, cores: 4, bytes: nil))
    #expect(!MemoryNode.suitWorkers(two, cores: 4, bytes: 51))
    #expect(!MemoryNode.suitWorkers(two, cores: 5, bytes: 50))
    #expect(!MemoryNode.suitWorkers([two[0]], cores: 4, bytes: 50))
  }
}
