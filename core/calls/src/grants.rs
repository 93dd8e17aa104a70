//! The rows of `grant_table_op`.

operations! {
    /// Operations of `grant_table_op` that are done.
    GrantTableOp in grant_table {
        Done MapGrantRef = GNTTABOP_map_grant_ref;
        Done UnmapGrantRef = GNTTABOP_unmap_grant_ref;
        Done SetupTable = GNTTABOP_setup_table;
        Done DumpTable = GNTTABOP_dump_table;
        Done Transfer = GNTTABOP_transfer;
        Done Copy = GNTTABOP_copy;
        Done QuerySize = GNTTABOP_query_size;
        Done UnmapAndReplace = GNTTABOP_unmap_and_replace;
        Done SetVersion = GNTTABOP_set_version;
        Done GetStatusFrames = GNTTABOP_get_status_frames;
        Done GetVersion = GNTTABOP_get_version;
        Done SwapGrantRef = GNTTABOP_swap_grant_ref;
        Done CacheFlush = GNTTABOP_cache_flush;
    }
}
