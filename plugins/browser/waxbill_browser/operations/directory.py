"""What the channel search of WhatsApp can be narrowed by: fixed lists, as WAHA has them."""

from __future__ import annotations

VIEWS = (
    ("RECOMMENDED", "Explore"),
    ("TRENDING", "Trending"),
    ("POPULAR", "Popular"),
    ("NEW", "New"),
)
CATEGORIES = (
    ("BUSINESS", "Business"),
    ("ENTERTAINMENT", "Entertainment"),
    ("LIFESTYLE", "Lifestyle"),
    ("NEWS_AND_INFORMATION", "News and information"),
    ("ORGANIZATIONS", "Organizations"),
    ("PEOPLE", "People"),
    ("SPORTS", "Sports"),
)
COUNTRIES = (
    ("AR", "Argentina"), ("AU", "Australia"), ("AT", "Austria"), ("BD", "Bangladesh"), ("BE", "Belgium"),
    ("BR", "Brazil"), ("CA", "Canada"), ("CL", "Chile"), ("CO", "Colombia"), ("DE", "Germany"), ("EG", "Egypt"),
    ("ES", "Spain"), ("FR", "France"), ("GB", "United Kingdom"), ("ID", "Indonesia"), ("IL", "Israel"), ("IN", "India"),
    ("IT", "Italy"), ("KE", "Kenya"), ("MX", "Mexico"), ("MY", "Malaysia"), ("NG", "Nigeria"), ("NL", "Netherlands"),
    ("PE", "Peru"), ("PK", "Pakistan"), ("PL", "Poland"), ("PT", "Portugal"), ("RO", "Romania"), ("SA", "Saudi Arabia"),
    ("SG", "Singapore"), ("TR", "Türkiye"), ("UA", "Ukraine"), ("US", "United States"), ("ZA", "South Africa"),
)  # fmt: skip
