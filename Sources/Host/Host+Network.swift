internal import Glibc

extension Host {
  /// The address of this machine from which `name` is reached; nil when there is no way there.
  ///
  /// A UDP socket is connected, which sends nothing, and asked for its name (getsockname).
  public static func sourceAddress(towards name: String) -> String? {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    // The port does not matter: discard.
    guard getaddrinfo(name, "9", &hints, &found) == 0 else { return nil }
    defer { freeaddrinfo(found) }
    var candidate = found
    while let info = candidate?.pointee {
      if let address = sourceAddress(of: info) { return address }
      candidate = info.ai_next
    }
    return nil
  }

  private static func sourceAddress(of info: addrinfo) -> String? {
    let descriptor = socket(info.ai_family, Int32(SOCK_DGRAM.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    guard connect(descriptor, info.ai_addr, info.ai_addrlen) == 0 else { return nil }
    var address = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let isNamed = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        getsockname(descriptor, pointer, &length) == 0
          && getnameinfo(
            pointer, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
      }
    }
    guard isNamed else { return nil }
    return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Allows as many open files as the system lets this process have (setrlimit): each connection
  /// is one.
  public static func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  /// Whether a TCP connection to a host and port can be made.
  /// - Returns: nil when it can, else why not.
  public static func failure(ofConnectingTo host: String, port: String, within limit: Duration)
    -> String?
  {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, port, &hints, &found)
    guard code == 0, let info = found?.pointee else {
      return "\(host): \(String(cString: gai_strerror(code)))"
    }
    defer { freeaddrinfo(found) }
    let descriptor = socket(info.ai_family, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return String(cString: strerror(errno)) }
    defer { close(descriptor) }
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    if connect(descriptor, info.ai_addr, info.ai_addrlen) == 0 { return nil }
    guard errno == EINPROGRESS else { return String(cString: strerror(errno)) }
    var wait = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    guard poll(&wait, 1, Int32(limit / .milliseconds(1))) > 0 else {
      return "no answer from \(host):\(port) in \(limit.components.seconds) s"
    }
    var error: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length)
    return error == 0 ? nil : "\(host):\(port): \(String(cString: strerror(error)))"
  }
}
