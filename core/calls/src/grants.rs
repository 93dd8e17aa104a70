//! The rows of `grant_table_op`.

operations! {
    /// Operations of `grant_table_op` that are done.
    GrantTableOp in grant_table {
        Missing MapGrantRef = GNTTABOP_map_grant_ref;
        Missing UnmapGrantRef = GNTTABOP_unmap_grant_ref;
        Done SetupTable = GNTTABOP_setup_table;
        Missing DumpTable = GNTTABOP_dump_table;
        Missing Transfer = GNTTABOP_transfer;
        Missing Copy = GNTTABOP_copy;
        Done QuerySize = GNTTABOP_query_size;
        Missing UnmapAndReplace = GNTTABOP_unmap_and_replace;
        Done SetVersion = GNTTABOP_set_version;
        Done GetStatusFrames = GNTTABOP_get_status_frames;
        Done GetVersion = GNTTABOP_get_version;
        Missing SwapGrantRef = GNTTABOP_swap_grant_ref;
        Missing CacheFlush = GNTTABOP_cache_flush, "only Arm guests use it";
    }
}
