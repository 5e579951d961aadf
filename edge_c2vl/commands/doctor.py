"""`edge-c2vl doctor`: can this machine run it?"""

from __future__ import annotations

import click

from edge_c2vl.commands.options import json_option


@click.command()
@click.option("--service", is_flag=True, help="Check instead what the installed service can reach.")
@json_option
def doctor(as_json: bool, service: bool) -> None:
    """Check packages, models, cameras, GPU, memory and temperature of this machine, and say what to install.

    Opens each camera for a moment. Exit code 0: `run` can work here; 1: it cannot. With --service: 1 where
    the service lacks something that this machine has.

    \b
    edge-c2vl doctor
    edge-c2vl doctor --service
    edge-c2vl doctor --json | jq '.findings[] | select(.advice != "")'
    """
    import json
    from dataclasses import asdict

    from edge_c2vl.doctor.examine import can_run, examine
    from edge_c2vl.doctor.service import check_service

    findings = examine([check_service]) if service else examine()
    fine = can_run(findings)
    exit_code = int(any(finding.state == "warn" for finding in findings) if service else not fine)
    if as_json:
        click.echo(json.dumps({"can_run": fine, "findings": [asdict(finding) for finding in findings]}, indent=2))
    else:
        width = max(len(finding.name) for finding in findings)
        colours = {"ok": "green", "info": None, "warn": "yellow", "fail": "red"}
        for finding in findings:
            state = click.style(f"{finding.state:<4}", fg=colours[finding.state])
            click.echo(f"{state}  {finding.name:<{width}}  {finding.value}")
            if finding.advice:
                click.echo(f"      {'':<{width}}  -> {finding.advice}")
        if not service:
            verdict = "can work here." if fine else "cannot work here: see the lines with fail."
            click.echo(f"`edge-c2vl run` {verdict}")
    raise SystemExit(exit_code)
