import FlapTestKit
import Launching
import Testing

struct HostsFileTests {
  @Test("every setting of a line")
  func settings() throws {
    let file = try HostsFile(
      text: """
        # The cluster.
        alice@node1.example.com:2222 slots=4 threads=16 memory=64GB worker=/opt/flap/flap-worker \
        model=/data/llama env.OMP_NUM_THREADS=1 env.EMPTY=   # the big one
        \t
        10.0.0.7
        """)
    #expect(
      file.hosts == [
        HostEntry(
          user: "alice", host: "node1.example.com", port: 2222, slots: 4, threads: 16,
          memoryBytes: 64_000_000_000, workerProgram: "/opt/flap/flap-worker",
          modelDirectory: "/data/llama",
          environment: [
            .init(name: "OMP_NUM_THREADS", value: "1"), .init(name: "EMPTY", value: ""),
          ], line: 2),
        HostEntry(host: "10.0.0.7", line: 4),
      ])
    #expect(file.warnings.isEmpty)
  }
}
