# What a study promises, and whether it matches the current config, code and files. Snakemake relies on dates
# and by its own notes, which know nothing of copied, damaged or back-dated files.


def plan_of_now():
    """Return what the current config, tables and code require of every job of this run."""
    return plan_of(workflow.dag, RESULTS)


def stop_if_stale(running=()):
    """End with one line if what no `running` job makes is not what is asked."""
    try:
        require_current(plan_of_now(), Digests(MEMORY), running, MAKE_RUN)
    except InputError as stale:
        sys.exit(f"error: {stale}")


def begin(_log):
    """Write down the plan of a run that is about to start its first job, and look whether it may."""
    with reported_in_one_line():
        require_writable(RESULTS)
        remove_leftovers(Path(RESULTS))
        plan_of_now().write(PLAN)
    stop_if_stale({job.output.get("record") for job in workflow.dag.needrun_jobs()})


def looked_after(execute):
    """Return Snakemake's way to run a workflow, with a check of the results, even where nothing is to be done."""

    def execute_and_look(*given, **settings):
        if not workflow.is_main_process:
            return execute(*given, **settings)
        of_importer = workflow._onstart  # `onstart:` counts for nothing in a module
        workflow._onstart = lambda log: (begin(log), of_importer(log))
        with as_snakemake():
            with reported_in_one_line(RESULTS):
                execute(*given, **settings)
            if not workflow.dryrun:
                stop_if_stale()

    return execute_and_look


workflow.execute = looked_after(workflow.execute)


def promised():
    """Return everything that a study promises; what lies between is made where it is needed."""
    return [
        rules.report.output.page,
        rules.audit_leakage.output.leakage,
        *(path for finding in FINDINGS for path in tables_of_finding(finding).values()),
        *expand(rules.plot_finding.output, finding=DRAWN_FINDINGS),
        *drawn_recordings("svg"),
        *drawn_recordings("png"),
        *expand(rules.plot_quality.output, dataset=studied_datasets(STUDY)),
    ]
