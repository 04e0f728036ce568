"""Customers and plans for operators (JSON)."""

from fastapi import APIRouter, Request, Response

from auth.admin import models, plan_models
from auth.admin.customers import CustomerRules
from auth.handlers.pages import Asked, cut


def router(rules: CustomerRules) -> APIRouter:
    """Return the routes of `/v1/customers` and `/v1/plans`, and that of a domain's customer."""
    api = APIRouter(prefix="/v1")

    @api.get("/plans", operation_id="plans", tags=["plans"])
    async def plans(of: Asked, request: Request, response: Response) -> list[plan_models.CustomerPlan]:
        """List plans by name; `after` is a name."""
        return cut(await rules.plans(of.after, of.asked), of, lambda row: row.name, request, response)

    @api.post("/plans", operation_id="add_plan", tags=["plans"], status_code=201)
    async def add_plan(question: plan_models.NewPlan) -> plan_models.CustomerPlan:
        return await rules.add_plan(question)

    @api.get("/plans/{name}", operation_id="plan", tags=["plans"])
    async def plan(name: str) -> plan_models.CustomerPlan:
        return await rules.plan(name)

    @api.patch("/plans/{name}", operation_id="set_plan", tags=["plans"])
    async def set_plan(name: str, question: plan_models.SetPlan) -> plan_models.CustomerPlan:
        """Change the fields that are given; in force within 5 seconds. What the domains have already stays."""
        return await rules.set_plan(name, question)

    @api.delete("/plans/{name}", operation_id="delete_plan", tags=["plans"], status_code=204)
    async def delete_plan(name: str) -> Response:
        """Delete the plan; refused (409) while customers have it."""
        await rules.delete_plan(name)
        return Response(status_code=204)

    @api.get("/customers", operation_id="customers", tags=["customers"])
    async def customers(of: Asked, request: Request, response: Response) -> list[plan_models.Customer]:
        """List customers by name; `after` is a name."""
        return cut(await rules.customers(of.after, of.asked), of, lambda row: row.name, request, response)

    @api.post("/customers", operation_id="add_customer", tags=["customers"], status_code=201)
    async def add_customer(question: plan_models.NewCustomer) -> plan_models.Customer:
        return await rules.add_customer(question)

    @api.get("/customers/{name}", operation_id="customer", tags=["customers"])
    async def customer(name: str) -> plan_models.Customer:
        return await rules.customer(name)

    @api.put("/customers/{name}", operation_id="set_customer", tags=["customers"])
    async def set_customer(name: str, question: plan_models.SetCustomer) -> plan_models.Customer:
        """Give the customer another plan, or none."""
        return await rules.set_customer(name, question)

    @api.delete("/customers/{name}", operation_id="delete_customer", tags=["customers"], status_code=204)
    async def delete_customer(name: str) -> Response:
        """Delete the customer; refused (409) while domains are theirs."""
        await rules.delete_customer(name)
        return Response(status_code=204)

    @api.get("/customers/{name}/domains", operation_id="customer_domains", tags=["customers"])
    async def customer_domains(name: str, of: Asked, request: Request, response: Response) -> list[models.Domain]:
        """List the customer's domains by name; `after` is a name."""
        return cut(await rules.domains(name, of.after, of.asked), of, lambda row: row.name, request, response)

    @api.put("/domains/{name}/customer", operation_id="set_domain_customer", tags=["domains"])
    async def set_domain_customer(name: str, question: plan_models.SetDomainCustomer) -> models.Domain:
        """Give the domain to a customer, or back to the operator."""
        return await rules.set_domain_customer(name, question)

    return api
