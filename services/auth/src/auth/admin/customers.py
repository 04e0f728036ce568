"""The rules for operators' changes to customers and plans (docs/decisions/0114)."""

from auth.admin import models, plan_models
from auth.admin.accounts import domain_name
from auth.admin.plan_models import proper_name
from auth.storage.accounts import Accounts
from auth.storage.customers import Customers
from mailkit.process.clock import Clock


class CustomerRules:
    """The JSON API's operations on customers and plans."""

    def __init__(self, store: Customers, domains: Accounts, clock: Clock) -> None:
        self._store = store
        self._domains = domains
        self._clock = clock

    async def add_plan(self, question: plan_models.NewPlan) -> plan_models.CustomerPlan:
        name = proper_name(question.name)
        given = question.limits.model_dump_json(exclude_unset=True, exclude_none=True)
        await self._store.add_plan(name, given, self._clock.now())
        return await self.plan(name)

    async def plan(self, name: str) -> plan_models.CustomerPlan:
        return plan_models.plan_of(await self._store.plan(proper_name(name)))

    async def plans(self, after: str, limit: int) -> list[plan_models.CustomerPlan]:
        return [plan_models.plan_of(row) for row in await self._store.plans(after, limit)]

    async def set_plan(self, name: str, question: plan_models.SetPlan) -> plan_models.CustomerPlan:
        """Change fields of a plan: in force within 5 s for all of its customers' domains."""
        await self._store.set_plan(proper_name(name), question.limits.model_dump_json(exclude_unset=True))
        return await self.plan(name)

    async def delete_plan(self, name: str) -> None:
        """Delete a plan; refused while customers have it."""
        await self._store.delete_plan(proper_name(name))

    async def add_customer(self, question: plan_models.NewCustomer) -> plan_models.Customer:
        name = proper_name(question.name)
        await self._store.add_customer(name, _plan(question.plan), self._clock.now())
        return await self.customer(name)

    async def customer(self, name: str) -> plan_models.Customer:
        return plan_models.Customer(**await self._store.customer(proper_name(name)))

    async def customers(self, after: str, limit: int) -> list[plan_models.Customer]:
        return [plan_models.Customer(**row) for row in await self._store.customers(after, limit)]

    async def set_customer(self, name: str, question: plan_models.SetCustomer) -> plan_models.Customer:
        """Give a customer another plan, or none. What their domains have stays, whatever the plan says."""
        await self._store.set_customer(proper_name(name), _plan(question.plan))
        return await self.customer(name)

    async def delete_customer(self, name: str) -> None:
        """Delete a customer; refused while domains are theirs."""
        await self._store.delete_customer(proper_name(name))

    async def domains(self, name: str, after: str, limit: int) -> list[models.Domain]:
        """Return a page of a customer's domains."""
        owner = await self._store.customer(proper_name(name))
        return [models.domain_of(row) for row in await self._domains.domains_of(owner["id"], after, limit)]

    async def set_domain_customer(self, domain: str, question: plan_models.SetDomainCustomer) -> models.Domain:
        """Give a domain to a customer, or back to the operator."""
        owner = None if question.customer is None else proper_name(question.customer)
        name = domain_name(domain)
        await self._store.set_domain_customer(name, owner)
        return models.domain_of(await self._domains.domain(name))


def _plan(name: str | None) -> str | None:
    return None if name is None else proper_name(name)
