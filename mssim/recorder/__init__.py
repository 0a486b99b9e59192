"""Recorder of large pools. It requests samples from servers and resumes interrupted recordings without repetition."""

from mssim.prices import Prices, read_prices
from mssim.questions import read_questions
from mssim.recorder._export import export
from mssim.recorder._record import record
from mssim.recorder.journal import Journal
from mssim.recorder.openai_sampler import OpenAISampler
from mssim.recorder.plan import ModelPlan, Plan, Server
from mssim.recorder.plan_files import plan_from_options, read_plan
from mssim.recorder.progress import Progress, Status, status
from mssim.recorder.retry import Retry
from mssim.recorder.sampler import Choice, Reply, Request, RequestFailed, Sampler

__all__ = [
    "Choice",
    "Journal",
    "ModelPlan",
    "OpenAISampler",
    "Plan",
    "Prices",
    "Progress",
    "Reply",
    "Request",
    "RequestFailed",
    "Retry",
    "Sampler",
    "Server",
    "Status",
    "export",
    "plan_from_options",
    "read_plan",
    "read_prices",
    "read_questions",
    "record",
    "status",
]
