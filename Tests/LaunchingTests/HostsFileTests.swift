import Launching
import Testing

struct HostsFileTests {
  @Test("every setting of a line")
  func settings() throws {
    let file = try HostsFile(
      text: """
        # The cluster.
        alice@node1.example.com:2222 lanes=4 threads=16 memory=64GB worker=/opt/flap/flap-worker \
        model=/data/llama env.OMP_NUM_THREADS=1 env.EMPTY=   # the big one
        \t
        10.0.0.7
        """)
    #expect(
      file.hosts == [
        HostEntry(
          user: "alice", host: "node1.example.com", port: 2222, lanes: 4, threads: 16,
          memoryBytes: 64_000_000_000, workerProgram: "/opt/flap/flap-worker",
          modelDirectory: "/data/llama",
          environment: [
            .init(name: "OMP_NUM_THREADS", value: "1"), .init(name: "EMPTY", value: ""),
          ], line: 2),
        HostEntry(host: "10.0.0.7", line: 4),
      ])
    #expect(file.warnings.isEmpty)
  }

  @Test("a model by its name on the hub")
  func hubModel() throws {
    let hosts = try HostsFile(text: "a model=o/m@v1\nb model=/o/m").hosts
    #expect(hosts.map(\.modelDirectory) == ["o/m@v1", "/o/m"])
    #expect(hosts.map(\.namesModelOfHub) == [true, false])
  }

  @Test("slots= is the older spelling of lanes=")
  func olderSpelling() throws {
    #expect(try HostsFile(text: "a slots=3").hosts == HostsFile(text: "a lanes=3").hosts)
  }

  @Test(
    "ranges, padding kept, the last one running fastest",
    arguments: [
      ("node[08-11]", ["node08", "node09", "node10", "node11"]),
      ("node[8-11]", ["node8", "node9", "node10", "node11"]),
      ("node[099-101].lan", ["node099", "node100", "node101"].map { $0 + ".lan" }),
      ("node[1,3,05-07]", ["node1", "node3", "node05", "node06", "node07"]),
      ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
      ("10.0.0.[9-10]", ["10.0.0.9", "10.0.0.10"]),
      ("[1-2]x", ["1x", "2x"]),
      ("n[5]", ["n5"]),
      ("n[00]", ["n00"]),
      ("n[999999998-999999999]", ["n999999998", "n999999999"]),
    ])
  func ranges(pattern: String, names: [String]) throws {
    #expect(try HostsFile(text: pattern).hosts.map(\.host) == names)
  }

  @Test("each host of a range has the line's settings")
  func rangeSettings() throws {
    let hosts = try HostsFile(text: "\nbob@n[1-2]:2222 lanes=3 env.A=b").hosts
    #expect(
      hosts
        == [1, 2].map {
          HostEntry(
            user: "bob", host: "n\($0)", port: 2222, lanes: 3,
            environment: [.init(name: "A", value: "b")], line: 2)
        })
  }

  @Test(
    "IPv6 addresses stand in brackets and are no ranges",
    arguments: [
      ("[fe80::1]:22", "fe80::1", 22, "[fe80::1]:22"),
      ("[::1]", "::1", nil, "::1"),
      ("[2001:db8:0:0:0:0:0:2]", "2001:db8:0:0:0:0:0:2", nil, "2001:db8:0:0:0:0:0:2"),
      ("[fe80::1%eth0]:2222", "fe80::1%eth0", 2222, "[fe80::1%eth0]:2222"),
      ("[::ffff:10.0.0.1]", "::ffff:10.0.0.1", nil, "::ffff:10.0.0.1"),
    ] as [(String, String, Int?, String)])
  func addresses(word: String, host: String, port: Int?, label: String) throws {
    let entry = try #require(try HostsFile(text: "root@" + word).hosts.first)
    #expect(entry == HostEntry(user: "root", host: host, port: port))
    #expect(entry.label == label)
  }

  @Test("quotes hold blanks and `#`; a comment follows a blank; CR LF; a byte order mark")
  func quotes() throws {
    let file = try HostsFile(
      text: "\u{FEFF}a model=\"/my models/é #1\" env.X=\"\"\tenv.Y=b#c # not env.Z=1\r\n"
        + "b#c\r\n".replacing("b#c", with: "b #c") + "\r\n#d")
    #expect(
      file.hosts == [
        HostEntry(
          host: "a", modelDirectory: "/my models/é #1",
          environment: [.init(name: "X", value: ""), .init(name: "Y", value: "b#c")], line: 1),
        HostEntry(host: "b", line: 2),
      ])
  }

  @Test(
    "amounts of memory",
    arguments: [
      ("1B", 1), ("512MB", 512_000_000), ("64GiB", 64 << 30), ("2TB", 2_000_000_000_000),
      ("3kib", 3072), ("4KB", 4000), ("5mib", 5 << 20), ("1TiB", 1 << 40),
    ])
  func memory(text: String, bytes: Int) throws {
    #expect(try HostsFile(text: "a memory=\(text)").hosts.first?.memoryBytes == bytes)
  }

  @Test("the same host with another port is another host")
  func ports() throws {
    #expect(
      try HostsFile(text: "a\na:2222\na:2223").hosts.map(\.label) == ["a", "a:2222", "a:2223"])
  }

  @Test(
    "a port that looks like lanes is warned of", arguments: [(4, 1), (128, 1), (22, 0), (443, 0)])
  func warnings(port: Int, count: Int) throws {
    let file = try HostsFile(text: "\nnode[1-9]:\(port)")
    #expect(file.hosts.count == 9)
    #expect(file.warnings.count == count)
    for warning in file.warnings {
      #expect(warning.contains("line 2"))
      #expect(warning.contains("`node1 lanes=\(port)`"))
    }
  }

  @Test("the largest file that is taken")
  func largest() throws {
    let hosts = try HostsFile(text: "n[00001-65535]\nlast").hosts
    #expect(hosts.count == HostsFile.hostLimit)
    #expect(Set(hosts.map(\.host)).count == HostsFile.hostLimit)
    #expect(hosts.first?.host == "n00001")
  }
}
