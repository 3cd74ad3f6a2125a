import FlapTestKit
import Foundation
import Launching
import Testing

/// What a started process gets of this one, and what its output may do to a terminal.
struct WorkerProcessTests {
  @Test("a process inherits its three streams and nothing else")
  func descriptors() throws {
    // One that stays open over an exec, as those that libraries open; far from what a shell opens
    // itself to look.
    let open = fcntl(STDERR_FILENO, F_DUPFD, 100)
    defer { close(open) }
    var process = try WorkerProcess(
      LaunchCommand(
        label: "sh", executable: "/bin/sh",
        arguments: [
          "-c", "for f in 0 1 2 \(open); do [ -e /proc/$$/fd/$f ] && echo $f; done; true",
        ]))
    var lines: [String] = []
    for _ in 0..<500 {
      let ending = process.checkEnding()
      lines += process.readLines()
      if ending != nil { break }
      usleep(10_000)
    }
    #expect(lines == ["0", "1", "2"])
  }

  @Test("lines of output show what was printed and do nothing else")
  func lines() {
    var buffer = LineBuffer()
    let text = "  größe\u{1B}[2J\u{9B}31m\u{202E}x\ttab\r\nnext\n"
    buffer.append(ArraySlice(Array(text.utf8) + [0xFF, 0x0A]))
    buffer.append(ArraySlice(repeating: UInt8(ascii: "a"), count: LineBuffer.lineBytes + 1))
    buffer.finish()
    let lines = buffer.take()
    #expect(lines[0...2] == ["  größe [2J 31m x tab", "next", "\u{FFFD}"])
    #expect(lines[3...].map(\.utf8.count) == [LineBuffer.lineBytes, 1])
  }
}
