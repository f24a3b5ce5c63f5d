# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The libraries, a row each, and what is known to be found in them, with the reason."""

from dataclasses import dataclass, field

JDKS = (17, 25)


@dataclass
class Row:
    name: str
    work: str = None  # a class in work/
    packages: tuple = ()  # of Debian's; none: the JDK's own
    jars: tuple = ()  # of /usr/share/java, or whole paths
    library: str = None  # that must have made calls: a pattern of its file's name
    jvm: tuple = ()  # more arguments
    under: tuple = ()  # a command in front
    host: tuple = None  # a whole command: no Java launcher
    pause_ms: int = 10  # between two steps
    jdks: tuple = JDKS
    known: dict = field(default_factory=dict)  # true findings: {"kind library": reason}
    lacks: dict = field(default_factory=dict)  # what stacks lack and is lost with it: {reason: why}


ROWS = (
    Row("JDK: compression", "JdkZip", library=r"libzip\.so"),
    Row("JDK: network", "JdkNet", library=r"libn(et|io)\.so"),
    Row("JDK: files", "JdkFiles", library=r"libnio\.so", pause_ms=50),
    Row("JDK: desktop", "JdkDesktop", library=r"libfontmanager\.so", pause_ms=200,
        known={"kind-mismatch libawt.so": "BufImgSurfaceData.c pins the pixels through its weak reference; the surface's object keeps them alive",
               "call-in-critical libjava.so": "imageioJPEG.c of JDK 25 asks for its JNIEnv (JNU_GetEnv) before it ends a section; HotSpot's GetEnv waits for nothing"}),
    Row("JDK: management", "JdkManagement", library=r"libmanagement_ext\.so", jvm=("-Djdk.attach.allowAttachSelf=true",), pause_ms=1000),
    Row("JDK: instrumentation", "JdkAgent", library=r"libinstrument\.so", pause_ms=50, jvm=("-javaagent:{folder}/agent.jar",),
        lacks={"java_unnamed": "each redefinition frees methods: one that is first read after that is not proven to be the one of a stack before"}),
    Row("JDK: flight recorder", "JdkJfr", jvm=("-XX:StartFlightRecording:filename=all.jfr",)),
    Row("JDK: debugger", "JdkDebug", pause_ms=100, library=r"libjdwp\.so",
        jvm=("-agentlib:jdwp=transport=dt_socket,server=y,suspend=n", "-Djdk.attach.allowAttachSelf=true")),
    Row("JDK: processes", "JdkProcess", library=r"libjava\.so", pause_ms=50),
    Row("JDK: the VM's own natives", "JdkVm", pause_ms=50,
        lacks={"java_unnamed": "a class loader is dropped three times a minute, hidden classes all the time: as in the row of instrumentation"}),
    Row("JDK: compiler", "JdkTools", pause_ms=100, library=r"libnio\.so"),
    Row("JDK: PKCS#11 (NSS)", "JdkSecurity", packages=("libnss3",), library=r"libj2pkcs11\.so", pause_ms=100),
    Row("JDK: foreign functions", "JdkForeign", jdks=(25,), jvm=("--enable-native-access=ALL-UNNAMED",)),
    Row("sqlite-jdbc", "Sqlite", ("libxerial-sqlite-jdbc-java",), ("sqlite-jdbc",), r"libsqlitejdbc\.so", pause_ms=30),
    Row("zstd-jni", "Zstd", ("libzstd-jni-java",), ("zstd-jni",), r"libzstd-jni\.so.*"),
    Row("lz4-java", "Lz4", ("liblz4-java",), ("lz4-java",), r"liblz4-java\.so"),
    Row("snappy-java", "SnappyJava", ("libsnappy-java",), ("snappy-java",), r"libsnappyjava\.so"),
    Row("netty-tcnative", "NettyTcnative", ("libnetty-tcnative-java", "libnetty-java"), ("netty-tcnative", "netty-all"), r"libnetty.tcnative.*\.so"),
    Row("JNA", "Jna", ("libjna-java",), ("jna",), r"libjnidispatch.*\.so", pause_ms=100,
        known={"kind-mismatch libjnidispatch.system.so": "dispatch.c keeps the classes that it uses by weak references; the class path keeps them alive"}),
    Row("jffi (jnr-posix)", "JnrPosix", ("libjnr-posix-java",), ("jnr-posix", "jnr-ffi", "jffi", "jnr-constants", "asm", "asm-commons",
        "asm-analysis", "asm-util", "asm-tree"), r"libjffi-.*\.so"),
    Row("Berkeley DB", "BerkeleyDb", ("libdb5.3-java",), ("db",), r"libdb_java-.*\.so", pause_ms=100),
    Row("link-grammar", "LinkGrammarWork", ("liblink-grammar-java",), ("linkgrammar",), r"liblink-grammar-java\.so.*", pause_ms=100),
    Row("Z3", "Z3", ("libz3-java",), ("com.microsoft.z3",), r"libz3java\.so"),
    Row("Xapian", "XapianWork", ("libxapian-java",), ("xapian",), r"libxapian_jni\.so", pause_ms=200),
    Row("HDF5", "Hdf5", ("libhdf5-java",), ("jarhdf5", "slf4j-api"), r"libhdf5_java\.so"),
    Row("JHDF5 of SIS", "SisHdf5", ("libsis-jhdf5-java",), ("sis-jhdf5", "sis-base", "commons-lang3", "commons-io"), r"libsis-jhdf5\.so", pause_ms=100),
    Row("jzmq", "ZeroMq", ("libzmq-java",), ("zmq",), r"libjzmq\.so.*"),
    Row("junixsocket", "JUnixSocket", ("libjunixsocket-java",), ("junixsocket-common",), r".*junixsocket-native.*\.so", pause_ms=30),
    Row("Subversion JavaHL", "JavaHl", ("libsvn-java",), ("svn-javahl",), r"libsvnjavahl-1\.so.*", pause_ms=400),
    Row("OpenCV", "OpenCv", ("libopencv-java",), ("opencv",), r"libopencv_java.*\.so"),
    Row("Intel GKL", "Gkl", ("libgkl-java",), ("gkl", "gatk-native-bindings", "htsjdk", "commons-logging", "commons-io", "log4j-1.2-api", "log4j-api", "log4j-core"), r"libgkl_.*\.so"),
    Row("JNI-InChI", "Inchi", ("libjni-inchi-java",), ("jni-inchi", "log4j-1.2"), r"libjniinchi\.so", pause_ms=100),
    Row("jpathwatch", "PathWatch", ("libjpathwatch-java",), ("jpathwatch",), r"libjpathwatch-native\.so"),
    Row("native-platform", "NativePlatform", ("libnative-platform-java",), ("native-platform",), pause_ms=200, library=r"libnative-platform\.so",
        jvm=("--add-opens=java.base/java.util=ALL-UNNAMED", "--add-opens=java.base/java.lang=ALL-UNNAMED")),
    Row("Tomcat native", "TomcatNative", ("libtcnative-1", "libtomcat9-java"), ("tomcat9-jni",), r"libtcnative-1\.so.*"),
    Row("SIGAR", "SigarWork", ("libhyperic-sigar-java",), ("sigar", "log4j-1.2"), r"libsigar.*\.so", pause_ms=50),
    Row("GLPK", "Glpk", ("libglpk-java",), ("glpk-java",), r"libglpk_java\.so.*", pause_ms=100),
    Row("TurboJPEG", "TurboJpeg", ("libturbojpeg-java", "libturbojpeg0-dev"), ("turbojpeg",), r"libturbojpeg.*\.so.*", pause_ms=200),
    Row("libSBML", "Sbml", ("libsbml5-java",), ("libsbmlj",), r"libsbmlj\.so"),
    Row("SSW", "Ssw", ("libssw-java",), ("ssw",), r"libsswjni\.so"),
    Row("libmatthew (Unix sockets)", "MatthewUnix", ("libunixsocket-java",), ("unix",), r"libunix-java\.so"),
    Row("MeCab", "Mecab", ("libmecab-java", "mecab-ipadic-utf8"), ("MeCab-0.996",), r"libMeCab\.so"),
    Row("rJava (R)", packages=("r-cran-rjava",), host=("Rscript", "--vanilla", "{here}/hosts/rjava.R"), library=r"rJava\.so",
        known={"pending-exception rJava.so": "ckx() makes a global reference of the exception before it clears it, which its comment calls risky",
               "local-overflow rJava.so": "ckx() keeps three local references of each exception, in a thread that never returns to Java"}),
    Row("JPype (Python)", packages=("python3-jpype",), host=("/usr/bin/python3", "-B", "{here}/hosts/python.py"), library=r"_jpype\..*\.so"),
    Row("Octave", packages=("octave",), host=("octave-cli", "-q", "{here}/hosts/octave.m"), library=r"liboctinterp\.so.*|__java__.*"),
    Row("JRuby", packages=("jruby",), host=("jruby", "{here}/hosts/jruby.rb"), library=r"libjffi-.*\.so", jdks=(17,),
        lacks={"table_not_loaded": "an old class opens libverify.so in the middle of it all: its first calls come before its table"}),
    Row("jsvc", "Daemon", ("jsvc", "libcommons-daemon-java"), ("commons-daemon",), r"libzip\.so", host=("{here}/hosts/jsvc",)),
)
