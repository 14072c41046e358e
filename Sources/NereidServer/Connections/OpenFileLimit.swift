// SPDX-License-Identifier: Apache-2.0
// Nereid: a vision model server.

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// How many files and connections the system lets this process have open.
enum OpenFileLimit {
    /// Raises the limit to a number if it is lower, as far as this user may.
    ///
    /// - Returns: the limit now.
    static func raise(to count: Int) -> Int {
        var limits = rlimit()
        #if canImport(Glibc)
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
        let files = RLIMIT_NOFILE
        #endif
        guard getrlimit(files, &limits) == 0 else { return 0 }
        let wanted = rlim_t(count)
        if limits.rlim_cur < wanted {
            limits.rlim_cur = min(wanted, limits.rlim_max)
            _ = setrlimit(files, &limits)
            _ = getrlimit(files, &limits)
        }
        return Int(clamping: limits.rlim_cur)
    }
}
