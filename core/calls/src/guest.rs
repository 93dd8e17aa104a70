//! The rows of `xen_version` and `console_io`.

operations! {
    /// Operations of `xen_version` that are done.
    VersionOp in version {
        Done Version = XENVER_version;
        Done Extraversion = XENVER_extraversion;
        Done CompileInfo = XENVER_compile_info;
        Done Capabilities = XENVER_capabilities;
        Done Changeset = XENVER_changeset;
        Done PlatformParameters = XENVER_platform_parameters;
        Done GetFeatures = XENVER_get_features;
        Done Pagesize = XENVER_pagesize;
        Done GuestHandle = XENVER_guest_handle;
        Done Commandline = XENVER_commandline;
        Done BuildId = XENVER_build_id;
    }

    /// Operations of `console_io` that are done.
    ConsoleIoOp in xen {
        Done Write = CONSOLEIO_write;
        Done Read = CONSOLEIO_read;
    }
}
