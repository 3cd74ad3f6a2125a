internal import Glibc
public import SystemPackage

/// What this machine is.
public enum Host {
  /// Cores that are online (sysconf).
  public static var coreCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

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
