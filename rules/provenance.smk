# What a study promises, and whether it is what the config, the code and the files of now make.


def start_of_run():
    """Write down what is asked of every job, and stop if Snakemake takes for up to date what is not."""
    remove_leftovers(Path(RESULTS))
    plan = plan_of(workflow.dag, RESULTS)
    plan.write(PLAN)
    running = {job.output.get("record") for job in workflow.dag.needrun_jobs()}
    try:
        require_current(plan, Digests(MEMORY), running)
    except InputError as stale:
        sys.exit(f"error: {stale}")


# Snakemake goes by dates and by its own notes, which know nothing of copied, damaged or back-dated files.
onstart:
    start_of_run()


localrules:
    all,


PROMISED = {
    "page": rules.report.output.page,
    "findings": [
        rules.compare.output,
        rules.compare_predictions.output,
        rules.compare_sources.output,
    ],
    "figures": rules.plot_findings.output,
    "recordings": [*drawn_recordings("svg"), *drawn_recordings("png")],
    "quality": expand(rules.plot_quality.output, dataset=studied_datasets(config)),
    "leakage": rules.audit_leakage.output.leakage,
}
