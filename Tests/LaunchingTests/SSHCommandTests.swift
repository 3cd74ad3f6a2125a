import FlapTestKit
import Foundation
import Launching
import Testing

struct SSHCommandTests {
  private let worker = WorkerCommandLine(program: "/opt/flap-worker", modelDirectory: "/m")
  private let ownOptions = [
    "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=5", "-o",
    "ServerAliveCountMax=3",
  ]

  @Test("a plain host")
  func plain() {
    let command = SSHCommand().launchCommand(
      host: HostEntry(host: "node1"), worker: worker, standardInput: [1, 2])
    #expect(
      command
        == LaunchCommand(
          label: "node1", executable: "ssh",
          arguments: ["-T"] + ownOptions + [
            "node1", "--", "exec /opt/flap-worker --connect-file - --model /m",
          ], standardInput: [1, 2]))
  }

  @Test("user, port, identity, options and all that a line can set")
  func all() {
    let host = HostEntry(
      user: "bob", host: "fe80::1", port: 2222, lanes: 2, threads: 8, workerProgram: "/my/worker",
      modelDirectory: "/my models",
      environment: [.init(name: "A", value: "it's"), .init(name: "B", value: "")])
    let command = SSHCommand(
      options: ["ProxyJump=gate", "ConnectTimeout=60"], identityFile: "/keys/id",
      program: "/usr/bin/ssh"
    ).launchCommand(
      host: host,
      worker: WorkerCommandLine(
        program: "/opt/flap-worker", modelDirectory: "/m", threadCount: 3, isPreflight: true,
        extraArguments: ["--log-format", "json"]),
      standardInput: [])
    #expect(command.label == "[fe80::1]:2222")
    #expect(command.executable == "/usr/bin/ssh")
    #expect(
      command.arguments == ["-T", "-o", "ProxyJump=gate", "-o", "ConnectTimeout=60"] + ownOptions
        + [
          "-p", "2222", "-i", "/keys/id", "bob@fe80::1", "--",
          #"exec env 'A=it'\''s' B= /my/worker --connect-file - --model '/my models' --threads 8 "#
            + "--lanes 2 --preflight --log-format json",
        ])
  }

  @Test("host keys stay checked, and nothing of standard input shows")
  func secrets() {
    let secret = "0123456789secret"
    let command = SSHCommand().launchCommand(
      host: HostEntry(host: "node1"), worker: worker, standardInput: Array(secret.utf8))
    var dumped = ""
    dump(command, to: &dumped)
    let shown = [command.description, command.debugDescription, "\(command)", dumped]
    for text in shown {
      #expect(!text.contains("StrictHostKeyChecking"))
      #expect(!text.contains("secret"))
      #expect(!text.contains("48, 49"))
      #expect(text.contains("node1"))
    }
    #expect(command.environment.isEmpty)
    #expect(command.description.hasPrefix("ssh -T -o BatchMode=yes "))
  }

  @Test(
    "the remote shell starts the program with these words and variables",
    arguments: ["worker", "my worker", "it's=odd", "$(id)", "-n"])
  func remoteShell(name: String) throws {
    let folder = try TemporaryFolder()
    let script = """
      #!/bin/sh
      printf '%s\\0' "$A" "$B" "$@"
      """
    let program = try folder.write(Array(script.utf8), to: name)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
    let values = ["a'b $HOME `id`\\", "=;*\"#"]
    let host = HostEntry(
      host: "node1", workerProgram: program, modelDirectory: "/odd 'm' $x",
      environment: [.init(name: "A", value: values[0]), .init(name: "B", value: values[1])])
    let command = SSHCommand().launchCommand(host: host, worker: worker, standardInput: [])
    let output = try Shell.output(of: try #require(command.arguments.last))
    #expect(
      Shell.words(output) == values + ["--connect-file", "-", "--model", "/odd 'm' $x"])
  }

  private static let ssh = "/usr/bin/ssh"

  @Test(
    "the system's ssh understands the command, and the user's options win",
    .enabled(if: FileManager.default.isExecutableFile(atPath: ssh), "there is no ssh here"))
  func clientReadsIt() throws {
    let command = SSHCommand(options: ["ConnectTimeout=60"]).launchCommand(
      host: HostEntry(user: "bob", host: "::1", port: 2222), worker: worker, standardInput: [])
    let output = try Shell.output(
      of: "", program: SSHCommandTests.ssh,
      arguments: ["-F", "/dev/null", "-G"] + command.arguments)
    let settings = Set(String(decoding: output, as: UTF8.self).split(separator: "\n"))
    let expected: [Substring] = [
      "user bob", "hostname ::1", "port 2222", "connecttimeout 60", "batchmode yes",
      "serveraliveinterval 5", "serveralivecountmax 3", "requesttty false",
    ]
    for line in expected { #expect(settings.contains(line), "\(line)") }
    #expect(settings.contains("stricthostkeychecking ask"))
  }
}
