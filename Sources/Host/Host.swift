internal import Glibc
public import SystemPackage

/// What this machine is.
public enum Host {
  /// Cores that this process may use: those of its affinity, as far as the quota of its control
  /// group goes. Slurm and containers give less than the machine has.
  public static var coreCount: Int {
    let allowed =
      firstLine(of: "/proc/self/status", beginning: "Cpus_allowed_list:").map(countOfRanges)
      ?? sysconf(Int32(_SC_NPROCESSORS_ONLN))
    return max(1, min(allowed, coreQuota ?? allowed))
  }

  /// Numbers in a list such as `0-3,8`.
  private static func countOfRanges(_ text: String) -> Int {
    text.split(separator: ",").reduce(0) { count, range in
      let ends = range.split(separator: "-").compactMap { Int($0) }
      guard let first = ends.first, let last = ends.last else { return count }
      return count + max(0, last - first + 1)
    }
  }

  /// Whole cores of the control group's quota (`cpu.max` of cgroup v2); nil where there is none.
  private static var coreQuota: Int? {
    let numbers = firstLine(of: "/sys/fs/cgroup/cpu.max", beginning: "")?
      .split(separator: " ").map { Int($0) }
    guard let numbers, numbers.count == 2, let quota = numbers[0], let period = numbers[1],
      period > 0
    else { return nil }
    return max(1, quota / period)
  }

  /// What follows `prefix` in the first line that begins with it, less white space around it.
  static func firstLine(of path: String, beginning prefix: String) -> String? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 4096)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(
        decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      guard text.hasPrefix(prefix) else { continue }
      let rest = text.dropFirst(prefix.count)
      return String(rest.drop(while: \.isWhitespace).prefix { $0 != "\n" })
    }
    return nil
  }

  /// Bytes of physical memory (sysconf).
  public static var memoryBytes: Int {
    sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
  }

  /// gethostname.
  public static var name: String {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// getpid.
  public static var processID: Int { Int(getpid()) }

  /// Where large temporary files belong: `TMPDIR`, else a folder that is no memory.
  public static var temporaryFolder: FilePath {
    FilePath(getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp")
  }

  /// The folder that relative paths start from (getcwd).
  public static var workingDirectory: String {
    guard let path = getcwd(nil, 0) else { return "/" }
    defer { free(path) }
    return String(cString: path)
  }
}
